/**
 * The summary that the dashboard opens with.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import type { QueueFilter, RangeParams, SampleOperations } from "../protocol/samples.ts";
import {
  type ProcessRow,
  processBuckets,
  sampleAge,
  type WorkerBucketRow,
  workerBuckets,
  workerList,
} from "../storage/analytics.ts";
import { systemCounts } from "../storage/listing-counts.ts";
import { queueTrafficBuckets } from "../storage/queue-analytics.ts";
import { deadLetterSummary, leaseCounts, queueConsumption } from "../storage/status.ts";
import { bucketText, perSecond, rangeOf, rounded, total } from "./analytics.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Queues in the summary, by name. */
const QUEUES_MAX = 1_000;
const ERRORS_MAX = 10;
const EVERYBODY = { hostname: null, worker: null };
/** The series of the counts of some queues: by bucket, what replaces those of all of them. */
type Traffic = Awaited<ReturnType<typeof queueTrafficBuckets>>[number];

function point(
  row: WorkerBucketRow,
  traffic: Traffic,
  process: ProcessRow | undefined,
  range: RangeParams,
): Record<string, unknown> {
  const processed = traffic.ack_success + traffic.auto_acked;
  const measured = (name: Exclude<keyof ProcessRow, "bucket">) => process?.[name] ?? 0;
  return {
    timestamp: bucketText(row.bucket),
    ingested: traffic.push_messages,
    processed,
    popMessages: traffic.pop_messages,
    ingestedPerSecond: perSecond(traffic.push_messages, range),
    processedPerSecond: perSecond(processed, range),
    popPerSecond: perSecond(traffic.pop_messages, range),
    avgLagMs: rounded(traffic.avg_lag_ms),
    maxLagMs: traffic.max_lag_ms,
    avgEventLoopLagMs: rounded(row.avg_loop_lag_ms),
    maxEventLoopLagMs: rounded(row.max_loop_lag_ms),
    minFreeSlots: row.min_free_slots,
    dbErrors: row.database_errors,
    ackFailed: traffic.ack_failed,
    dlqCount: traffic.dead_letters,
    queenCpuUserPct: rounded(measured("cpu_user_us") / 10_000),
    queenCpuSysPct: rounded(measured("cpu_system_us") / 10_000),
    queenRssMb: rounded(measured("rss_bytes") / 2 ** 20),
    dbPoolActive: rounded(measured("pool_active")),
    dbPoolIdle: rounded(measured("pool_idle")),
    dbPoolSize: rounded(measured("pool_size")),
  };
}

const NO_TRAFFIC: Omit<Traffic, "bucket"> = {
  push_requests: 0,
  push_messages: 0,
  pop_requests: 0,
  pop_messages: 0,
  ack_requests: 0,
  ack_success: 0,
  ack_failed: 0,
  auto_acked: 0,
  dead_letters: 0,
  avg_lag_ms: 0,
  max_lag_ms: 0,
};

/** What was done, by bucket: with the queues that match, or with all of them. */
async function trafficOf(
  context: EngineContext,
  params: SampleOperations["statusRead"],
  workers: readonly WorkerBucketRow[],
): Promise<Map<string, Traffic>> {
  const filtered = params.queue !== null || params.namespace !== null || params.task !== null;
  const rows = filtered ? await queueTrafficBuckets(context.database.look, params, params) : workers;
  return new Map(rows.map((row) => [row.bucket, row]));
}

function efficiency(messages: number, requests: number): number {
  return requests === 0 ? 0 : rounded(messages / requests);
}

async function messagesOf(context: EngineContext, filter: QueueFilter, all: readonly Traffic[]): Promise<object> {
  const counts = await systemCounts(context.database.look, filter);
  const sum = (of: (row: Traffic) => number) => all.reduce((value, row) => value + of(row), 0);
  const requests = {
    push: sum((row) => row.push_requests),
    pop: sum((row) => row.pop_requests),
    ack: sum((row) => row.ack_requests),
  };
  return {
    total: counts.total,
    pending: counts.pending,
    processing: 0,
    completed: counts.completed,
    failed: 0,
    deadLetter: counts.dead_letter,
    requests,
    batchEfficiency: {
      push: efficiency(
        sum((row) => row.push_messages),
        requests.push,
      ),
      pop: efficiency(
        sum((row) => row.pop_messages),
        requests.pop,
      ),
      ack: efficiency(
        sum((row) => row.ack_success + row.ack_failed),
        requests.ack,
      ),
    },
  };
}

async function holdingsOf(context: EngineContext, filter: QueueFilter): Promise<Record<string, unknown>> {
  const sql = context.database.look;
  const queues = await queueConsumption(sql, filter, QUEUES_MAX);
  const leases = await leaseCounts(sql, filter);
  const deadLetters = await deadLetterSummary(sql, filter, ERRORS_MAX);
  return {
    queues: queues.map(({ id, name, namespace, task, partitions, consumed }) => ({
      id: partitionUuid(id, 0),
      name,
      namespace,
      task,
      partitions,
      totalConsumed: consumed,
    })),
    leases: {
      active: leases.leases,
      partitionsWithLeases: leases.partitions,
      totalBatchSize: leases.messages,
      totalAcked: leases.resolved,
    },
    deadLetterQueue: {
      totalMessages: deadLetters.messages,
      affectedPartitions: deadLetters.partitions,
      topErrors: deadLetters.errors,
    },
  };
}

/** Answers the summary: series of the range, and what there is now. */
export async function statusRead(context: EngineContext, params: SampleOperations["statusRead"]): Promise<Answer> {
  const sql = context.database.look;
  const rows = await workerBuckets(sql, params, EVERYBODY);
  const traffic = await trafficOf(context, params, rows);
  const processes = new Map((await processBuckets(sql, params)).map((row) => [row.bucket, row]));
  const workers = await workerList(sql, params, EVERYBODY);
  const { from, to, bucketMinutes, ...filter } = params;
  return ok({
    ...rangeOf({ from, to }),
    bucketMinutes,
    pointCount: rows.length,
    throughput: rows.map((row) =>
      point(row, traffic.get(row.bucket) ?? { bucket: row.bucket, ...NO_TRAFFIC }, processes.get(row.bucket), params),
    ),
    ...(await holdingsOf(context, filter)),
    messages: await messagesOf(context, filter, [...traffic.values()]),
    workers: workers.map((row) => ({
      hostname: row.hostname,
      workerId: row.worker,
      avgEventLoopLagMs: rounded(row.avg_loop_lag_ms),
      maxEventLoopLagMs: rounded(row.max_loop_lag_ms),
      freeSlots: row.free_slots,
      dbConnections: row.connections,
      jobQueueSize: row.job_queue,
      messagesProcessed: row.messages_processed,
    })),
    errors: {
      dbErrors: total(rows, (row) => row.database_errors),
      ackFailed: [...traffic.values()].reduce((sum, row) => sum + row.ack_failed, 0),
      dlqMessages: [...traffic.values()].reduce((sum, row) => sum + row.dead_letters, 0),
    },
    statsAge: rounded(Math.max(0, (await sampleAge(sql)) ?? 0)),
  });
}
