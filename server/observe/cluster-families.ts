/**
 * Families of the Prometheus page that concern all instances on the database.
 *
 * @module
 */
import type { Observation } from "../../workers/protocol/observation.ts";
import type { Page, Values } from "./page.ts";

/** What the database tells of all instances: the answer of the operation `metricsRead`. */
export interface ClusterReading {
  recent: { seconds: number; age: number };
  totals: Record<string, number>;
  deadLetters: { total: number; queues: { queue: string; depth: number }[] };
  queues: (Record<string, number> & { queue: string })[];
  workers: (Record<string, number> & { hostname: string })[];
}

/** Families of the whole cluster. */
export function clusterFamilies(page: Page, { totals, deadLetters }: ClusterReading): void {
  const scope = { scope: "cluster" };
  const of = (...names: string[]) => names.reduce((sum, name) => sum + (totals[name] ?? 0), 0);
  const total = (name: string, help: string, value: number) =>
    page.counter(`queen_cluster_${name}_total`, help, [[scope, value]]);
  total("push_requests", "Push requests of all instances", of("pushRequests"));
  total("pop_requests", "Pop requests", of("popRequests"));
  total("ack_requests", "Acknowledgement requests", of("ackRequests"));
  total("transactions", "Transactions", of("transactions"));
  total("push_messages", "Messages stored", of("pushMessages"));
  total("pop_messages", "Messages delivered", of("popMessages"));
  total("ack_messages", "Messages acknowledged", of("ackSuccess", "ackFailed"));
  page.counter("queen_cluster_ack_total", "Messages acknowledged, by what was said of them", [
    [{ ...scope, result: "success" }, of("ackSuccess")],
    [{ ...scope, result: "failed" }, of("ackFailed")],
  ]);
  total("db_errors", "Database statements that failed", of("databaseErrors"));
  total("dlq", "Messages dead-lettered", of("deadLetters"));
  page.gauge("queen_dlq_depth", "Dead letters kept", [[scope, deadLetters.total]]);
  page.gauge(
    "queen_dlq_depth_by_queue",
    "Dead letters kept, of the queues with most of them",
    deadLetters.queues.map(({ queue, depth }) => [{ queue }, depth] as const),
  );
}

/** Families by queue: figures of the last minute that is over, busiest queues first. */
export function queueFamilies(page: Page, { queues, recent }: ClusterReading): void {
  const scale = 60 / recent.seconds;
  const perMinute = (name: string, help: string, column: string) =>
    page.gauge(
      `queen_queue_${name}_per_minute`,
      help,
      queues.map((row) => [{ queue: row.queue }, row[column]! * scale] as const),
    );
  perMinute("pop_messages", "Messages delivered", "pop_messages");
  perMinute("push_requests", "Push requests", "push_requests");
  perMinute("push_messages", "Messages stored", "push_messages");
  perMinute("pop_empty", "Pops answered without a message", "pop_empty");
  perMinute("transactions", "Transactions", "transactions");
  page.gauge(
    "queen_queue_ack_per_minute",
    "Messages acknowledged",
    queues.flatMap((row): Values => {
      const { queue } = row;
      return [
        [{ queue, result: "success" }, row.ack_success! * scale],
        [{ queue, result: "failed" }, row.ack_failed! * scale],
      ];
    }),
  );
  page.gauge(
    "queen_queue_pop_lag_milliseconds",
    "Age of messages when they were delivered",
    queues.flatMap((row): Values => {
      const { queue } = row;
      return [
        [{ queue, stat: "avg" }, row.avg_lag_ms!],
        [{ queue, stat: "max" }, row.max_lag_ms!],
      ];
    }),
  );
  page.gauge(
    "queen_queue_parked_consumers",
    "Most pops parked at once",
    queues.map((row) => [{ queue: row.queue }, row.parked!] as const),
  );
  page.gauge(
    "queen_queue_metrics_age_seconds",
    "Since the minute of these figures was over",
    queues.map(({ queue }) => [{ queue }, recent.age] as const),
  );
}

/** Families by worker: figures of the last minute that is over. */
export function workerFamilies(page: Page, { workers, recent }: ClusterReading): void {
  const scale = 60 / recent.seconds;
  const labelled = workers.map((row) => ({
    row,
    labels: { hostname: row.hostname, worker_id: row.worker!, pid: row.pid! },
  }));
  const one = (name: string, help: string, of: (row: Record<string, number>) => number) =>
    page.gauge(
      `queen_worker_${name}`,
      help,
      labelled.map(({ row, labels }) => [labels, of(row as Record<string, number>)] as const),
    );
  const several = (name: string, help: string, label: string, columns: Record<string, string[]>, factor = 1) =>
    page.gauge(
      `queen_worker_${name}`,
      help,
      labelled.flatMap(({ row, labels }) =>
        Object.entries(columns).map(
          ([value, names]) =>
            [
              { ...labels, [label]: value },
              factor * names.reduce((sum, column) => sum + Number(row[column]), 0),
            ] as const,
        ),
      ),
    );
  several("event_loop_lag_milliseconds", "Lateness of the event loop", "stat", {
    avg: ["avg_loop_lag_ms"],
    max: ["max_loop_lag_ms"],
  });
  several("free_slots", "Database connections without a statement under way", "stat", {
    avg: ["avg_free_slots"],
    min: ["min_free_slots"],
  });
  one("db_connections", "Database connections it may open", (row) => row.connections!);
  several("job_queue_size", "Requests under way", "stat", { avg: ["avg_job_queue"], max: ["max_job_queue"] });
  one("backoff_size", "Most pops parked at once", (row) => row.parked!);
  one("jobs_done_per_minute", "Requests answered", (row) => row.jobs_done! * scale);
  several(
    "requests_per_minute",
    "Requests",
    "op",
    { push: ["push_requests"], pop: ["pop_requests"], ack: ["ack_requests"] },
    scale,
  );
  several(
    "messages_per_minute",
    "Messages stored, delivered and acknowledged",
    "op",
    { push: ["push_messages"], pop: ["pop_messages"], ack: ["ack_success", "ack_failed"] },
    scale,
  );
  several(
    "ack_per_minute",
    "Messages acknowledged",
    "result",
    { success: ["ack_success"], failed: ["ack_failed"] },
    scale,
  );
  several("lag_milliseconds", "Age of messages when they were delivered", "stat", {
    avg: ["avg_lag_ms"],
    max: ["max_lag_ms"],
  });
  one("db_errors_per_minute", "Database statements that failed", (row) => row.database_errors! * scale);
  one("dlq_per_minute", "Messages dead-lettered", (row) => row.dead_letters! * scale);
  one("metrics_age_seconds", "Since the minute of these figures was over", () => recent.age);
}

/** Families about what instances share. */
export function peerFamilies(page: Page, observations: readonly Observation[]): void {
  const sum = (of: (observation: Observation) => number) =>
    observations.reduce((all, observation) => all + of(observation), 0);
  page.gauge(
    "queen_qc_cache_size",
    "Queues whose options are remembered",
    sum(({ catalog }) => catalog.queues),
  );
  page.counter(
    "queen_qc_cache_hits_total",
    "Queues found there",
    sum(({ catalog }) => catalog.hits),
  );
  page.counter(
    "queen_qc_cache_misses_total",
    "Queues not found there",
    sum(({ catalog }) => catalog.misses),
  );
  const peers = observations.find((observation) => observation.peers !== null)?.peers;
  if (!peers) return;
  page.gauge("queen_servers", "Other instances on the database", [
    [{ state: "alive" }, peers.alive],
    [{ state: "dead" }, peers.dead],
  ]);
  page.counter("queen_transport_messages_total", "Notifications between instances", [
    [{ dir: "sent" }, peers.sent],
    [{ dir: "received" }, peers.received],
    [{ dir: "dropped" }, peers.dropped],
  ]);
}
