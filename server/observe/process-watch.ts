/**
 * Looks at the process and its workers, as the system metrics show them.
 *
 * @module
 */
import type { LagReading } from "../../workers/loop-lag.ts";
import type { Observation } from "../../workers/protocol/observation.ts";
import type { Pool } from "../pool/pool.ts";
import { processMemory, processorTime } from "./process.ts";
import type { KindReading } from "./rates.ts";

/** One look. */
export interface ProcessLook {
  /** By path in the tree of the system metrics. */
  values: Record<string, number>;
  /** Lateness of the router's event loop since the look before. */
  loopLag: LagReading;
}

/** Counts since the start that are looked at. */
type Counted = Readonly<Record<"pushMessages" | "popMessages" | "ackSuccess" | "ackFailed", number>>;

/** See the module comment. */
export class ProcessWatch {
  readonly #pool: Pool;
  readonly #totals: Counted;
  readonly #popIntervalMs: number;
  #cpu = processorTime();
  #cpuAt = performance.now();
  #items = { push: 0, pop: 0, ack: 0 };
  /** The look before; null before the first. */
  last: ProcessLook | null = null;

  constructor(pool: Pool, totals: Counted, popIntervalMs: number) {
    this.#pool = pool;
    this.#totals = totals;
    this.#popIntervalMs = popIntervalMs;
  }

  /**
   * Looks.
   *
   * @param latest - What each worker told last.
   * @param loopLag - Of this thread, since the look before.
   * @param kinds - Requests since the look before, by kind.
   */
  async look(
    latest: readonly (Observation | undefined)[],
    loopLag: LagReading,
    kinds: Record<string, KindReading>,
  ): Promise<ProcessLook> {
    const observations = latest.filter((observation) => observation !== undefined);
    const memory = await processMemory();
    this.last = {
      loopLag,
      values: {
        ...this.#processor(),
        "memory.rss_bytes": memory.rss,
        "memory.virtual_bytes": memory.virtual,
        ...databaseValues(observations),
        ...this.#backlog(),
        "shared_state.enabled": 1,
        ...this.#operations(kinds),
        ...waitingValues(observations),
        "shared_state.queue_backoff.avg_interval_ms": this.#popIntervalMs,
        ...cacheValues(observations),
        ...peerValues(latest[0]),
      },
    };
    return this.last;
  }

  /** Microseconds of processor time a second. */
  #processor(): Record<string, number> {
    const [cpu, at] = [processorTime(), performance.now()];
    const seconds = Math.max(0.001, (at - this.#cpuAt) / 1000);
    const values = {
      "cpu.user_us": (cpu.user - this.#cpu.user) / seconds,
      "cpu.system_us": (cpu.system - this.#cpu.system) / seconds,
    };
    [this.#cpu, this.#cpuAt] = [cpu, at];
    return values;
  }

  #backlog(): Record<string, number> {
    const { workers } = this.#pool.state();
    const requests = sum(workers, ({ requestCount }) => requestCount);
    return {
      "threadpool.system.pool_size": workers.length,
      "threadpool.system.queue_size": requests,
      "registries.response": requests + sum(workers, ({ pollCount }) => pollCount),
    };
  }

  #operations(kinds: Record<string, KindReading>): Record<string, number> {
    const { pushMessages, popMessages, ackSuccess, ackFailed } = this.#totals;
    const items = { push: pushMessages, pop: popMessages, ack: ackSuccess + ackFailed };
    const values: Record<string, number> = {};
    for (const kind of ["push", "pop", "ack"] as const) {
      values[`shared_state.sidecar_ops.${kind}.count`] = kinds[kind]?.count ?? 0;
      values[`shared_state.sidecar_ops.${kind}.latency_us`] = kinds[kind]?.latencyUs ?? 0;
      values[`shared_state.sidecar_ops.${kind}.items`] = items[kind] - this.#items[kind];
    }
    this.#items = items;
    return values;
  }
}

function cacheValues(observations: readonly Observation[]): Record<string, number> {
  return {
    "shared_state.queue_config_cache.size": sum(observations, ({ catalog }) => catalog.queues),
    "shared_state.queue_config_cache.hits": sum(observations, ({ catalog }) => catalog.hits),
    "shared_state.queue_config_cache.misses": sum(observations, ({ catalog }) => catalog.misses),
  };
}

/** @param leader - Worker 0: it alone knows of other instances. */
function peerValues(leader: Observation | undefined): Record<string, number> {
  const peers = leader?.peers;
  return {
    "shared_state.server_health.alive": peers?.alive ?? 0,
    "shared_state.server_health.dead": peers?.dead ?? 0,
    "shared_state.transport.sent": peers?.sent ?? 0,
    "shared_state.transport.received": peers?.received ?? 0,
    "shared_state.transport.dropped": peers?.dropped ?? 0,
  };
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

/** Connections of all workers: how many there may be, how many work, and how many statements wait for one. */
export function databaseState(observations: readonly Observation[]): { size: number; inUse: number; waiting: number } {
  const lanes = observations.flatMap((observation) => observation.lanes);
  return {
    size: sum(lanes, (lane) => lane.connectionsMax),
    inUse: sum(lanes, (lane) => lane.inUse),
    waiting: sum(lanes, (lane) => lane.waiting),
  };
}

function databaseValues(observations: readonly Observation[]): Record<string, number> {
  const { size, inUse, waiting } = databaseState(observations);
  return {
    "database.pool_size": size,
    "database.pool_idle": size - inUse,
    "database.pool_active": inUse,
    "threadpool.db.pool_size": size,
    "threadpool.db.queue_size": waiting,
  };
}

/** Parked pops stand for what earlier servers called back-off. */
function waitingValues(observations: readonly Observation[]): Record<string, number> {
  const parkedQueues = new Set(
    observations.flatMap(({ queues }) => queues.filter(({ parked }) => parked > 0).map(({ queueId }) => queueId)),
  );
  const parked = sum(observations, (observation) => observation.parked);
  return {
    "shared_state.queue_backoff.queues_with_backoff": parkedQueues.size,
    "shared_state.queue_backoff.total_backed_off_groups": parked,
    "shared_state.queue_backoff_summary": parked,
    "shared_state.consumer_presence.queues_tracked": parkedQueues.size,
    "shared_state.consumer_presence.total_registrations": parked,
  };
}
