/**
 * Group commit: what arrives while a flight is under way joins the next one. An idle batcher flies at once, so no timer
 * delays a lone request, and under load a transaction carries many requests.
 *
 * States: idle (nothing waiting) → waiting (items, no free flight) → flying. `#pump` is the only place that starts a
 * flight.
 *
 * @module
 */

import type { Histogram } from "../protocol/histogram.ts";

/** How a {@link Batcher} flies. */
export interface BatcherOptions<Item> {
  /** Most flights at once. */
  flightsMax: number;
  /** A second or later flight starts only when at least this weight waits; fewer, fuller flights win. */
  extraFlightWeightMin: number;
  /** Most weight in one flight; a single heavier item flies alone. */
  flightWeightMax: number;
  /** Cost of an item, 1 or more. */
  weigh(item: Item): number;
  /** Items with equal keys never fly in different flights at the same time; null: no such bond. */
  bondsOf(item: Item): readonly string[];
  /** Whether items of the same bond may share a flight. */
  bondsShare: boolean;
  /** When more waits than one flight takes, owners take turns; items of one bond have one owner. Absent: first come, first served. */
  ownerOf?(item: Item): string | number;
  /** Counts how many items fly together. */
  sizes?: Histogram;
  /** Carries out a flight and settles its items itself. Must not throw. */
  fly(items: Item[]): Promise<void>;
}

/** See the module comment. */
export class Batcher<Item> {
  readonly #options: BatcherOptions<Item>;
  #waiting: Item[] = [];
  #weight = 0;
  #flights = 0;
  #scheduled = false;
  readonly #bonds = new Set<string>();
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions<Item>) {
    this.#options = options;
  }

  /** Items waiting for a flight. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Adds an item. It flies at the end of the current turn at the earliest, together with what else that turn brings. */
  add(item: Item): void {
    this.#waiting.push(item);
    this.#weight += this.#options.weigh(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Resolves when nothing waits or flies. */
  drained(): Promise<void> {
    if (this.#flights === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#mayFly()) {
      const items = this.#take();
      if (items.length === 0) return;
      this.#launch(items);
    }
    if (this.#flights === 0 && this.#waiting.length === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #mayFly(): boolean {
    if (this.#flights === 0) return true;
    return this.#flights < this.#options.flightsMax && this.#weight >= this.#options.extraFlightWeightMin;
  }

  /** Takes what may fly together from the front, leaving in order what may not. */
  #take(): Item[] {
    const { flightWeightMax, weigh, bondsOf, bondsShare } = this.#options;
    const taken: Item[] = [];
    const left: Item[] = [];
    const own = new Set<string>();
    // Bonds of items left behind: nothing that comes after them may overtake them.
    const behind = new Set<string>();
    let weight = 0;
    let full = false;
    for (const item of this.#inTurn()) {
      const bonds = bondsOf(item);
      const cost = weigh(item);
      if (!full && taken.length > 0 && weight + cost > flightWeightMax) full = true;
      const barred =
        full || bonds.some((bond) => this.#bonds.has(bond) || behind.has(bond) || (!bondsShare && own.has(bond)));
      if (barred) {
        left.push(item);
        for (const bond of bonds) behind.add(bond);
        continue;
      }
      taken.push(item);
      weight += cost;
      for (const bond of bonds) own.add(bond);
    }
    this.#waiting = left;
    this.#weight -= weight;
    return taken;
  }

  /** What waits, in the order it may fly: each owner's own order is kept. */
  #inTurn(): readonly Item[] {
    const { ownerOf, flightWeightMax, weigh } = this.#options;
    if (ownerOf === undefined || this.#weight <= flightWeightMax) return this.#waiting;
    const byOwner = Map.groupBy(this.#waiting, ownerOf);
    if (byOwner.size === 1) return this.#waiting;
    const quantum = flightWeightMax / (2 * byOwner.size);
    const lines = [...byOwner.values()].map((items) => ({ items, at: 0 }));
    const ordered: Item[] = [];
    while (ordered.length < this.#waiting.length) {
      for (const line of lines) {
        for (let weight = 0; weight < quantum && line.at < line.items.length; line.at += 1) {
          ordered.push(line.items[line.at]!);
          weight += weigh(line.items[line.at]!);
        }
      }
    }
    return ordered;
  }

  #launch(items: Item[]): void {
    this.#flights += 1;
    this.#options.sizes?.add(items.length);
    const held = new Set(items.flatMap((item) => this.#options.bondsOf(item)));
    for (const bond of held) this.#bonds.add(bond);
    this.#options.fly(items).finally(() => {
      this.#flights -= 1;
      for (const bond of held) this.#bonds.delete(bond);
      this.#pump();
    });
  }
}
