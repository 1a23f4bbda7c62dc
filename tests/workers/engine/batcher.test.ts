import { describe, expect, test } from "bun:test";
import { Batcher, type BatcherOptions } from "../../../workers/engine/batcher.ts";
import { Random, runSeed } from "../../support/random.ts";

interface Item {
  id: number;
  weight: number;
  bonds: string[];
}

const item = (id: number, weight = 1, bonds: string[] = []): Item => ({ id, weight, bonds });
/** One turn of the event loop, after which added items have been looked at. */
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/** A batcher whose flights land when told. */
class Airport {
  readonly flights: { items: Item[]; land(): void }[] = [];
  readonly batcher: Batcher<Item>;

  constructor(options: Partial<BatcherOptions<Item>> = {}) {
    this.batcher = new Batcher<Item>({
      flightsMax: 2,
      extraFlightWeightMin: 10,
      flightWeightMax: 100,
      weigh: ({ weight }) => weight,
      bondsOf: ({ bonds }) => bonds,
      bondsShare: true,
      fly: (items) => new Promise<void>((resolve) => this.flights.push({ items, land: resolve })),
      ...options,
    });
  }

  /** Adds items and lets them start. */
  async add(...items: Item[]): Promise<void> {
    for (const each of items) this.batcher.add(each);
    await turn();
  }

  async land(flight: number): Promise<void> {
    this.flights[flight]!.land();
    await turn();
  }

  get ids(): number[][] {
    return this.flights.map(({ items }) => items.map(({ id }) => id));
  }
}

describe("a batcher", () => {
  test("lets owners take turns when more waits than a flight takes, each in its own order", async () => {
    const airport = new Airport({
      flightsMax: 1,
      flightWeightMax: 40,
      ownerOf: ({ id }) => (id < 100 ? "flood" : "calm"),
    });
    await airport.add(item(0));
    await airport.add(...Array.from({ length: 10 }, (_, at) => item(at + 1, 10)), item(100, 5), item(101, 5));
    await airport.land(0);
    expect(airport.ids[1]).toEqual([1, 100, 101, 2, 3]);
    await airport.land(1);
    await airport.land(2);
    expect(airport.ids.slice(2)).toEqual([
      [4, 5, 6, 7],
      [8, 9, 10],
    ]);
  });

  test("flies at once when idle, with all that one turn brings", async () => {
    const airport = new Airport();
    await airport.add(item(1), item(2));
    expect(airport.ids).toEqual([[1, 2]]);
  });

  test("gathers what arrives meanwhile for the next flight", async () => {
    const airport = new Airport();
    await airport.add(item(1));
    await airport.add(item(2));
    await airport.add(item(3));
    expect(airport.ids).toEqual([[1]]);
    expect(airport.batcher.waitingCount).toBe(2);
    await airport.land(0);
    expect(airport.ids).toEqual([[1], [2, 3]]);
  });

  test("starts a second flight only for enough weight, and never a third", async () => {
    const airport = new Airport();
    await airport.add(item(1));
    await airport.add(item(2, 9));
    expect(airport.ids).toEqual([[1]]);
    await airport.add(item(3, 1));
    expect(airport.ids).toEqual([[1], [2, 3]]);
    await airport.add(item(4, 50));
    expect(airport.ids).toHaveLength(2);
    await airport.land(1);
    expect(airport.ids[2]).toEqual([4]);
  });

  test("fills a flight up to its weight; a heavier item flies alone", async () => {
    const airport = new Airport({ flightsMax: 1 });
    await airport.add(item(1, 60), item(2, 60), item(3, 40), item(4, 500), item(5));
    await airport.land(0);
    await airport.land(1);
    await airport.land(2);
    expect(airport.ids).toEqual([[1], [2, 3], [4], [5]]);
  });

  test("keeps bound items out of other flights, in their order, and lets others pass", async () => {
    const airport = new Airport({ extraFlightWeightMin: 1 });
    await airport.add(item(1, 1, ["a"]));
    await airport.add(item(2, 1, ["a", "b"]), item(3, 1, ["b"]), item(4, 1, ["c"]));
    expect(airport.ids).toEqual([[1], [4]]);
    await airport.land(0);
    expect(airport.ids[2]).toEqual([2, 3]);
  });

  test("lets bound items share a flight only when told so", async () => {
    const airport = new Airport({ bondsShare: false, flightsMax: 1 });
    await airport.add(item(1, 1, ["a"]), item(2, 1, ["a"]), item(3, 1, ["b"]));
    expect(airport.ids).toEqual([[1, 3]]);
    await airport.land(0);
    expect(airport.ids[1]).toEqual([2]);
  });

  test("is drained when nothing waits or flies", async () => {
    const airport = new Airport();
    await airport.batcher.drained();
    await airport.add(item(1));
    await airport.add(item(2));
    let drained = false;
    const done = airport.batcher.drained().then(() => (drained = true));
    await airport.land(0);
    expect(drained).toBe(false);
    await airport.land(1);
    await done;
  });

  const seed = runSeed();
  test(`flies everything once, bound items in order and never side by side (MODEL_SEED=${seed})`, async () => {
    const random = new Random(seed);
    for (let round = 0; round < 30; round += 1) {
      const airport = new Airport({
        bondsShare: random.chance(0.5),
        flightsMax: random.int(1, 3),
        extraFlightWeightMin: 3,
      });
      const count = random.int(1, 60);
      let added = 0;
      let landed = 0;
      const flying = () => airport.flights.slice(landed);
      while (added < count || landed < airport.flights.length) {
        if (added < count && random.chance(0.6)) {
          await airport.add(item(added++, random.int(1, 40), random.chance(0.7) ? [random.pick(["a", "b", "c"])] : []));
        } else if (landed < airport.flights.length) {
          await airport.land(landed++);
        }
        const bonds = flying().map(({ items }) => new Set(items.flatMap((each) => each.bonds)));
        for (const [at, own] of bonds.entries()) {
          for (const other of bonds.slice(at + 1)) expect([...own].filter((bond) => other.has(bond))).toEqual([]);
        }
      }
      const order = airport.flights.flatMap(({ items }) => items);
      expect(order.map(({ id }) => id).sort((x, y) => x - y)).toEqual(Array.from({ length: count }, (_, id) => id));
      for (const bond of ["a", "b", "c"]) {
        const ids = order.filter(({ bonds }) => bonds.includes(bond)).map(({ id }) => id);
        expect(ids).toEqual(ids.toSorted((x, y) => x - y));
      }
    }
  });
});
