/**
 * How a worker is doing, for the router.
 *
 * @module
 */

import type { LoopLag } from "../loop-lag.ts";
import type { LaneState, Observation } from "../protocol/observation.ts";
import type { EngineContext } from "./context.ts";
import { jobCounters } from "./jobs.ts";
import type { Peers } from "./peers.ts";
import type { Waiters } from "./waiters.ts";

/** What is looked at besides the context. */
export interface Observed {
  waiters: Waiters;
  /** Worker 0 only. */
  peers: Peers | null;
  loopLag: LoopLag;
  /** Requests begun and not answered, parked pops among them. */
  underWay: number;
}

/** Takes what was counted since the call before, and looks at how things stand. Asks the database nothing. */
export function observe(context: EngineContext, { waiters, peers, loopLag, underWay }: Observed): Observation {
  const { catalog, counters, database, segments } = context;
  const lanes: LaneState[] = [];
  for (const [lane, meter] of Object.entries(database.meters)) {
    counters.worker.databaseErrors += meter.errors;
    meter.errors = 0;
    lanes.push({ lane, connectionsMax: meter.connectionsMax, inUse: meter.inUse, waiting: meter.waiting });
  }
  const parked = waiters.count;
  return {
    ...counters.take(waiters.countByQueue()),
    loopLag: loopLag.take(),
    underWay: Math.max(0, underWay - parked),
    parked,
    lanes,
    segments: { bytes: segments.bytes, hits: segments.hits, misses: segments.misses },
    catalog: { queues: catalog.size, hits: catalog.hits, misses: catalog.misses },
    sweepRepairs: jobCounters.sweepRepairs,
    peers: peers === null ? null : peers.state(),
  };
}
