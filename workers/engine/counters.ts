/**
 * What a worker counts of its work, in all and by queue. Counting is plain addition to numbers in memory; the router
 * fetches and empties them every second, so they stay few.
 *
 * @module
 */

import { Histogram } from "../protocol/histogram.ts";
import {
  FLIGHT_BOUNDS,
  FLIGHT_KINDS,
  type FlightKind,
  type Observation,
  type QueueCounts,
  TRAFFIC_COUNTS,
  type TrafficCounts,
  WORK_COUNTS,
  type WorkerCounts,
} from "../protocol/observation.ts";

type Taken = Pick<Observation, "counts" | "queues" | "flights">;

/** Messages of one queue that were delivered together: `lagSumMs` is the sum of the ages of all of them. */
export interface Delivery {
  messages: number;
  lagSumMs: number;
  lagMaxMs: number;
}

/** Requests that are counted once for the worker and once for each queue they concern. */
type RequestCount = "pushRequests" | "ackRequests" | "transactions";

function noTraffic(): TrafficCounts {
  const counts: Record<string, number> = { lagMaxMs: 0 };
  for (const name of TRAFFIC_COUNTS) counts[name] = 0;
  return counts as TrafficCounts;
}

function noWork(): WorkerCounts {
  const counts: Record<string, number> = noTraffic();
  for (const name of WORK_COUNTS) counts[name] = 0;
  return counts as WorkerCounts;
}

/** See the module comment. */
export class Counters {
  #counts = noWork();
  #queues = new Map<number, QueueCounts>();
  readonly #flights = Object.fromEntries(FLIGHT_KINDS.map((kind) => [kind, new Histogram(FLIGHT_BOUNDS)])) as Record<
    FlightKind,
    Histogram
  >;

  /** Counts of the worker since they were last taken. */
  get worker(): WorkerCounts {
    return this.#counts;
  }

  /** Sizes of group commits of a kind. */
  flights(kind: FlightKind): Histogram {
    return this.#flights[kind];
  }

  #of(queueId: number): QueueCounts {
    let counts = this.#queues.get(queueId);
    if (counts === undefined) {
      counts = { queueId, parked: 0, ...noTraffic() };
      this.#queues.set(queueId, counts);
    }
    return counts;
  }

  /** A request that concerns these queues; repeats are allowed. */
  requested(kind: RequestCount, queueIds: readonly number[]): void {
    this.#counts[kind] += 1;
    if (queueIds.length === 1) this.#of(queueIds[0]!)[kind] += 1;
    else for (const id of new Set(queueIds)) this.#of(id)[kind] += 1;
  }

  /** A pop that was answered. @param queueId - Null when it asked for no queue in particular and got nothing. */
  popped(queueId: number | null, empty: boolean): void {
    this.#counts.popRequests += 1;
    if (empty) this.#counts.popEmpty += 1;
    if (queueId === null) return;
    const counts = this.#of(queueId);
    counts.popRequests += 1;
    if (empty) counts.popEmpty += 1;
  }

  /** Messages that were stored. */
  pushed(queueId: number, messages: number): void {
    this.#counts.pushMessages += messages;
    this.#of(queueId).pushMessages += messages;
  }

  /** Messages that were delivered, and their ages at that moment. */
  delivered(queueId: number, what: Delivery, autoAck: boolean): void {
    deliver(this.#counts, what, autoAck);
    deliver(this.#of(queueId), what, autoAck);
  }

  /** Messages of a queue that consumers answered for. */
  acknowledged(queueId: number, success: number, failed: number, deadLetters: number): void {
    for (const counts of [this.#counts, this.#of(queueId)]) {
      counts.ackSuccess += success;
      counts.ackFailed += failed;
      counts.deadLetters += deadLetters;
    }
  }

  /** Acknowledgements of messages that are nowhere. */
  acknowledgedNothing(messages: number): void {
    this.#counts.ackFailed += messages;
  }

  /** Partitions of a queue that were made or deleted. */
  partitions(kind: "partitionsCreated" | "partitionsDeleted", queueId: number, count: number): void {
    this.#counts[kind] += count;
    this.#of(queueId)[kind] += count;
  }

  /** Messages of one queue that a background job deleted. */
  expired(kind: "retentionMessages" | "completedRetentionMessages" | "evictionMessages", messages: number): void {
    this.#counts[kind] += messages;
    this.#counts.retentionEvents += 1;
  }

  /**
   * Everything counted since the last call, and begins anew.
   *
   * @param parked - How many pops are parked, by queue.
   */
  take(parked: Iterable<readonly [queueId: number, count: number]>): Taken {
    for (const [queueId, count] of parked) this.#of(queueId).parked = count;
    const taken: Taken = {
      counts: this.#counts,
      queues: [...this.#queues.values()],
      flights: Object.fromEntries(FLIGHT_KINDS.map((kind) => [kind, this.#flights[kind].take()])) as Taken["flights"],
    };
    this.#counts = noWork();
    this.#queues = new Map();
    return taken;
  }
}

function deliver(counts: TrafficCounts, { messages, lagSumMs, lagMaxMs }: Delivery, autoAck: boolean): void {
  counts.popMessages += messages;
  if (autoAck) counts.autoAcked += messages;
  counts.lagCount += messages;
  counts.lagSumMs += lagSumMs;
  if (lagMaxMs > counts.lagMaxMs) counts.lagMaxMs = lagMaxMs;
}
