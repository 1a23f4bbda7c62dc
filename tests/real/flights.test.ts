/** The flights example over all its 20,000 flights, and proof that its proofs can fail. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ServerProcess, startServer } from "../bench/process.ts";
import { DelayStatistics } from "./delay-statistics.ts";
import { twentyThousandFlights } from "./flight-data.ts";
import { replayFlights } from "./replay.ts";
import { Witness } from "./witness.ts";

describe("flights", () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await startServer();
  }, 60_000);

  afterAll(async () => {
    await server?.stop();
  }, 60_000);

  test("20,000 flights reach both groups exactly once, in order, with equal statistics", async () => {
    const source = await twentyThousandFlights();
    const counts = new Map<string, number>();
    const report = await replayFlights({
      url: server.url,
      queue: "flights",
      source,
      partitionOf: (flight) => flight.origin,
      progress: (stage, count) => counts.set(stage, count),
    });
    expect(report.problems).toEqual([]);
    expect(report.flights).toBe(20_000);
    expect(report.partitions).toBe(220);
    expect(report.statistics.airports.size).toBe(220);
    expect(Object.fromEntries(counts)).toEqual({ push: 20_000, statistics: 20_000, fresh: 10_000, again: 20_000 });
  }, 120_000);
});

describe("the proofs", () => {
  test("a witness names what is missing, doubled, out of order and not expected", () => {
    const witness = new Witness(1, 6);
    for (const number of [1, 3, 2, 2, 0]) witness.see("BOS", number);
    expect(witness.verdict()).toEqual([
      "in partition BOS flight 2 came after 3",
      "flight 2 was delivered twice",
      "flight 0 was delivered and should not have been",
      "2 flights never came, such as 4, 5",
    ]);
  });

  test("a witness is content with interleaved partitions in order", () => {
    const witness = new Witness(0, 4);
    witness.see("BOS", 1);
    witness.see("LAX", 0);
    witness.see("BOS", 3);
    witness.see("LAX", 2);
    expect(witness.verdict()).toEqual([]);
  });

  test("statistics that differ by one minute differ", () => {
    const [one, other] = [new DelayStatistics(), new DelayStatistics()];
    const flight = { date: "2001/01/01 00:47", delay: 66, distance: 1750, origin: "DTW", destination: "LAS" };
    one.add(flight);
    other.add({ ...flight, delay: 67 });
    expect(one.differences(other)).toEqual(["DTW"]);
    expect(one.differences(one)).toEqual([]);
  });
});
