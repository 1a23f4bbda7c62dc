/**
 * Replays flights through a running server to two consumer groups at once, and proves what each of them got.
 *
 * - `statistics` computes delays by airport while the flights come in.
 * - `latecomer` starts when half of them are in and asks for `new` ones only; later it seeks back to the start and reads
 *   everything.
 *
 * @module
 */

import { consumeAll, type NumberedFlight } from "./consume.ts";
import { DelayStatistics } from "./delay-statistics.ts";
import type { Flight, FlightSource } from "./flight-data.ts";
import { QueueClient } from "./queue-client.ts";
import { Witness } from "./witness.ts";

/** How flights are replayed. */
export interface ReplayOptions {
  url: string;
  queue: string;
  source: FlightSource;
  /** Which partition a flight goes to; order is kept within it. */
  partitionOf: (flight: Flight) => string;
  /** Called as things move on: which of the {@link stages}, and how many messages so far. */
  progress: (stage: keyof typeof stages, count: number, total: number) => void;
}

/** What goes on, in words. */
export const stages = {
  push: "pushed",
  statistics: "group statistics",
  fresh: "group latecomer, new only",
  again: "group latecomer, from the start",
};

/** What came of it. `problems` is empty when everything is proven. */
export interface ReplayReport {
  flights: number;
  partitions: number;
  statistics: DelayStatistics;
  problems: string[];
}

const PUSH_BATCH = 1000;
const BEFORE_ALL_FLIGHTS = "1970-01-01T00:00:00.000Z";

/**
 * Replays flights. The queue is deleted first and left in place afterwards.
 *
 * @param options - See {@link ReplayOptions}.
 * @returns What each group got, held against the file.
 * @throws {Error} when the server refuses a request.
 */
export async function replayFlights(options: ReplayOptions): Promise<ReplayReport> {
  const { queue, source, progress } = options;
  const client = new QueueClient(options.url);
  await client.delete(queue);
  await client.configure(queue);

  const half = Math.floor(source.total / 2);
  const all = new Witness(0, source.total);
  const fresh = new Witness(half, source.total);
  const again = new Witness(0, source.total);
  const computed = new DelayStatistics();
  const expected = new DelayStatistics();
  const partitions = new Set<string>();

  const consume = (group: string, stage: keyof typeof stages, witness: Witness, onFlight?: (flight: Flight) => void) =>
    consumeAll({
      client,
      queue,
      group,
      witness,
      onFlight,
      progress: (count) => progress(stage, count, witness.expected),
    });

  let latecomer: Promise<void> = Promise.resolve();
  const produce = async () => {
    let number = 0;
    for await (const batch of batches(source, half)) {
      // The group exists from its first pop on, and gets what is pushed after that.
      if (number === half) {
        const early = await client.pop<NumberedFlight>(queue, { consumerGroup: "latecomer", subscriptionMode: "new" });
        for (const { partition, data } of early) fresh.see(partition, data.number);
        latecomer = consume("latecomer", "fresh", fresh);
      }
      const messages = batch.map((flight) => {
        expected.add(flight);
        const partition = options.partitionOf(flight);
        partitions.add(partition);
        return { queue, partition, payload: { ...flight, number: number++ }, transactionId: Bun.randomUUIDv7() };
      });
      await client.push(messages);
      progress("push", number, source.total);
    }
  };

  await Promise.all([produce(), consume("statistics", "statistics", all, (flight) => computed.add(flight))]);
  await latecomer;
  await client.seek(queue, "latecomer", BEFORE_ALL_FLIGHTS);
  await consume("latecomer", "again", again);

  const problems = [
    ...all.verdict().map((problem) => `${stages.statistics}: ${problem}`),
    ...fresh.verdict().map((problem) => `${stages.fresh}: ${problem}`),
    ...again.verdict().map((problem) => `${stages.again}: ${problem}`),
    ...computed.differences(expected).map((code) => `statistics of ${code} differ from those of the file`),
  ];
  return { flights: source.total, partitions: partitions.size, statistics: computed, problems };
}

/** Cuts flights into batches, one of which begins exactly at `cut`. */
async function* batches(source: FlightSource, cut: number): AsyncGenerator<Flight[]> {
  let number = 0;
  for await (const page of source.pages()) {
    for (let at = 0; at < page.length; ) {
      const untilCut = number < cut ? cut - number : PUSH_BATCH;
      const batch = page.slice(at, at + Math.min(PUSH_BATCH, untilCut));
      yield batch;
      at += batch.length;
      number += batch.length;
    }
  }
}
