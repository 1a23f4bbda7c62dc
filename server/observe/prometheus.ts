/**
 * The page that Prometheus reads. Families of earlier servers keep their names and labels (wire contract, section 15.3);
 * what only this server has stands beside them.
 *
 * @module
 */
import process from "node:process";
import { FLIGHT_BOUNDS, FLIGHT_KINDS, type Observation } from "../../workers/protocol/observation.ts";
import { DURATION_BOUNDS_S, type Pool } from "../pool/pool.ts";
import {
  type ClusterReading,
  clusterFamilies,
  peerFamilies,
  queueFamilies,
  workerFamilies,
} from "./cluster-families.ts";
import type { Observer } from "./observer.ts";
import { type Labels, Page, type Values } from "./page.ts";
import { processMemory, processorTime } from "./process.ts";
import { databaseState } from "./process-watch.ts";

const KINDS = ["push", "pop", "ack"] as const;

/** What the page is made from. */
export interface Sources {
  pool: Pool;
  observer: Observer;
  /** Of all instances; null when the database does not tell. */
  cluster: ClusterReading | null;
}

/** Makes the page. */
export async function renderPrometheus({ pool, observer, cluster }: Sources): Promise<string> {
  const page = new Page();
  const observations = observer.latest.filter((observation) => observation !== undefined);
  await processFamilies(page, pool, observer, observations);
  bufferFamilies(page, pool);
  operationFamilies(page, observer, observations);
  peerFamilies(page, observations);
  ownFamilies(page, pool, observer);
  if (cluster !== null) {
    clusterFamilies(page, cluster);
    queueFamilies(page, cluster);
    workerFamilies(page, cluster);
  }
  return page.render();
}

async function processFamilies(
  page: Page,
  pool: Pool,
  observer: Observer,
  observations: readonly Observation[],
): Promise<void> {
  const [cpu, memory, { size, inUse, waiting }] = [processorTime(), await processMemory(), databaseState(observations)];
  const { workers } = pool.state();
  const requests = workers.reduce((sum, { requestCount }) => sum + requestCount, 0);
  page.gauge("queen_uptime_seconds", "Seconds since the process started", process.uptime());
  page.counter("queen_cpu_user_microseconds_total", "Processor time of the process, in its own code", cpu.user);
  page.counter("queen_cpu_system_microseconds_total", "Processor time of the process, in the kernel", cpu.system);
  page.gauge("queen_process_resident_memory_bytes", "Memory of the process", memory.rss);
  page.gauge("queen_process_virtual_memory_bytes", "Address space of the process", memory.virtual);
  page.gauge("queen_db_pool_size", "Database connections the workers may open", size);
  page.gauge("queen_db_pool_idle", "Of them, those without a statement under way", size - inUse);
  page.gauge("queen_db_pool_active", "Of them, those with a statement under way", inUse);
  page.gauge("queen_threadpool_size", "Connections (db) and worker threads (system)", [
    [{ pool: "db" }, size],
    [{ pool: "system" }, workers.length],
  ]);
  page.gauge("queen_threadpool_queue_size", "Statements behind others (db) and requests without an answer (system)", [
    [{ pool: "db" }, waiting],
    [{ pool: "system" }, requests],
  ]);
  page.gauge(
    "queen_response_registry_size",
    "Requests without an answer, parked polls included",
    workers.map((worker) => [{ worker_id: worker.index }, worker.requestCount + worker.pollCount] as const),
  );
  const lag = observer.processLook?.loopLag;
  if (lag && lag.count > 0) {
    page.gauge("queen_router_event_loop_lag_seconds", "Lateness of the router's event loop at the last look", [
      [{ stat: "avg" }, lag.sumMs / lag.count / 1000],
      [{ stat: "max" }, lag.maxMs / 1000],
    ]);
  }
}

function bufferFamilies(page: Page, pool: Pool): void {
  const { instance } = pool.state();
  page.gauge("queen_file_buffer_pending", "Messages in the buffer on disk", instance.pendingMessages);
  page.gauge("queen_file_buffer_failed", "Buffered messages that the store refused", instance.failedMessages);
  page.gauge("queen_file_buffer_db_healthy", "Whether the database answered last", Number(instance.databaseHealthy));
  page.gauge("queen_maintenance_mode_enabled", "Whether pushes are held back", Number(instance.pushMaintenance));
  page.gauge("queen_pop_maintenance_mode_enabled", "Whether pops are held back", Number(instance.popMaintenance));
  page.gauge("queen_shared_state_enabled", "Whether instances on one database know of each other", 1);
}

function operationFamilies(page: Page, observer: Observer, observations: readonly Observation[]): void {
  const { pushMessages, popMessages, ackSuccess, ackFailed } = observer.totals;
  const items = { push: pushMessages, pop: popMessages, ack: ackSuccess + ackFailed };
  const kinds = KINDS.map((op) => ({ op, ...observer.rates.kind(op) }));
  page.counter(
    "queen_sidecar_op_count",
    "Requests answered; waiting pops are not counted",
    kinds.map(({ op, count }) => [{ op }, count] as const),
  );
  page.gauge(
    "queen_sidecar_op_latency_microseconds",
    "Mean time such a request took, since the start",
    kinds.map(({ op, count, seconds }) => [{ op }, count === 0 ? 0 : (seconds / count) * 1e6] as const),
  );
  page.counter(
    "queen_sidecar_op_items",
    "Messages stored, delivered and acknowledged",
    KINDS.map((op) => [{ op }, items[op]] as const),
  );
  const parkedQueues = new Set(
    observations.flatMap(({ queues }) => queues.filter(({ parked }) => parked > 0).map(({ queueId }) => queueId)),
  );
  const parked = observations.reduce((sum, observation) => sum + observation.parked, 0);
  page.gauge("queen_queue_backoff_groups", "Parked pops", parked);
  page.gauge("queen_queue_backoff_queues", "Queues with parked pops", parkedQueues.size);
  page.gauge(
    "queen_queue_backoff_avg_interval_milliseconds",
    "Pause between looks for parked pops that nobody wakes",
    observer.popIntervalMs,
  );
}

/** A value of each worker that told something. */
function byWorker(observer: Observer, of: (observation: Observation) => number): Values {
  return observer.latest.flatMap((observation, worker) =>
    observation === undefined ? [] : [[{ worker_id: worker } as Labels, of(observation)] as const],
  );
}

function ownFamilies(page: Page, pool: Pool, observer: Observer): void {
  page.histogram(
    "queen_request_duration_seconds",
    "From the hand-over to a worker to its answer; popWait is a pop that may wait",
    DURATION_BOUNDS_S,
    observer.rates.operations().map((reading) => [{ operation: reading.operation }, reading] as const),
  );
  page.counter(
    "queen_request_failures_total",
    "Answers with a status of 500 or more",
    observer.rates.operations().map(({ operation, failures }) => [{ operation }, failures] as const),
  );
  page.histogram(
    "queen_flight_size",
    "Requests that one group commit took together",
    FLIGHT_BOUNDS,
    FLIGHT_KINDS.map((kind) => [{ kind }, observer.flights[kind].read()] as const),
  );
  const lanes = observer.latest.flatMap((observation, worker) =>
    (observation?.lanes ?? []).map((lane) => ({ worker_id: worker, ...lane })),
  );
  page.gauge(
    "queen_lane_connections",
    "Most database connections of a lane",
    lanes.map(({ worker_id, lane, connectionsMax }) => [{ worker_id, lane }, connectionsMax] as const),
  );
  page.gauge(
    "queen_lane_in_use",
    "Connections of a lane with a statement under way",
    lanes.map(({ worker_id, lane, inUse }) => [{ worker_id, lane }, inUse] as const),
  );
  page.gauge(
    "queen_lane_waiting",
    "Statements of a lane behind others",
    lanes.map(({ worker_id, lane, waiting }) => [{ worker_id, lane }, waiting] as const),
  );
  page.gauge(
    "queen_parked_pops",
    "Parked pops",
    byWorker(observer, ({ parked }) => parked),
  );
  page.gauge(
    "queen_segment_cache_bytes",
    "Memory of cached segments",
    byWorker(observer, (o) => o.segments.bytes),
  );
  page.counter(
    "queen_segment_cache_hits_total",
    "Reads the cache answered",
    byWorker(observer, (o) => o.segments.hits),
  );
  page.counter(
    "queen_segment_cache_misses_total",
    "Reads the store answered",
    byWorker(observer, (o) => o.segments.misses),
  );
  page.counter("queen_sweep_repairs_total", "Lost wake-ups found; anything but 0 is a defect", [
    [{}, observer.latest[0]?.sweepRepairs ?? 0],
  ]);
  page.counter(
    "queen_worker_restarts_total",
    "Workers that died and were replaced",
    pool.state().workers.map(({ index, restartCount }) => [{ worker_id: index }, restartCount] as const),
  );
  page.counter(
    "queen_worker_stuck_total",
    "Workers that were replaced because their event loop stood still",
    pool.state().workers.map(({ index, stuckCount }) => [{ worker_id: index }, stuckCount] as const),
  );
  page.counter(
    "queen_refused_requests_total",
    "Requests that were refused because too much was unanswered",
    pool.state().workers.map(({ index, refusals }) => [{ worker_id: index }, refusals] as const),
  );
  page.counter("queen_partitions_created_total", "Partitions made", observer.totals.partitionsCreated);
  page.counter("queen_expired_messages_total", "Messages that background jobs deleted", [
    [{ reason: "retention" }, observer.totals.retentionMessages],
    [{ reason: "completed" }, observer.totals.completedRetentionMessages],
    [{ reason: "eviction" }, observer.totals.evictionMessages],
  ]);
}
