/**
 * A real pool of real threads that echo.
 *
 * @module
 */
import {
  createPool,
  type LogLine,
  type Pool,
  type PoolOptions,
  type WorkerRequest,
} from "../../../server/pool/pool.ts";
import type { PopParams, WorkerSettings } from "../../../workers/protocol.ts";

/** A line that the pool logged. */
export interface LogEntry {
  level: string;
  event: string;
  fields: Record<string, unknown>;
}

/** A pool that is not started, and what it logs. */
export function echoPool(options: Partial<PoolOptions> & { instanceId?: string } = {}): {
  pool: Pool;
  log: LogEntry[];
  spawned: Worker[];
} {
  const log: LogEntry[] = [];
  const spawned: Worker[] = [];
  const line: LogLine = (level, event, fields) => log.push({ level, event, fields });
  const workerCount = options.workerCount ?? 2;
  const pool = createPool({
    workerCount,
    settings: (index) => settingsOf(index, workerCount, options.instanceId ?? "test"),
    backlog: { requestsMax: 100, pollsMax: 100, bytesMax: 1_000_000, waitMaxMs: 100 },
    spawn: () => {
      const worker = new Worker(new URL("./echo-worker.ts", import.meta.url), { type: "module" });
      spawned.push(worker);
      return worker;
    },
    log: line,
    ...options,
  });
  return { pool, log, spawned };
}

/** A request with a JSON body. */
export function bodyRequest(
  operation: "push" | "ack" | "ackBatch" | "transaction" | "configure" | "streamCycle",
  body: string | ArrayBuffer | null,
): WorkerRequest {
  const params = operation === "push" ? { producerSub: null } : {};
  return { id: 0, operation, params, bodyFormat: "json", answerFormat: "json", body } as WorkerRequest;
}

/** A pop. */
export function popRequest(params: Partial<PopParams> = {}): WorkerRequest {
  const defaults: PopParams = {
    group: "__QUEUE_MODE__",
    batch: 1,
    partitions: 1,
    wait: false,
    timeoutMs: 30_000,
    autoAck: false,
    subscriptionMode: "",
    subscriptionFrom: "",
  };
  return {
    id: 0,
    operation: "pop",
    params: { ...defaults, ...params },
    bodyFormat: "json",
    answerFormat: "json",
    body: null,
  };
}

function settingsOf(index: number, workerCount: number, instanceId: string): WorkerSettings {
  return {
    index,
    workerCount,
    instanceId,
    database: {
      hosts: [],
      port: 0,
      user: "",
      password: null,
      database: "",
      tls: "off",
      prepare: true,
      connectTimeoutMs: 1,
      idleTimeoutMs: 1,
      statementTimeoutMs: 1,
      lockTimeoutMs: 1,
    },
    connectionsMax: 4,
    encryptionKeys: [],
    autoCreateQueues: true,
    defaultSubscriptionMode: "",
    popPollMs: { initial: 100, max: 1000 },
    retentionIntervalMs: 1000,
    retentionBatchSize: 1,
    evictionIntervalMs: 1000,
    evictionBatchSize: 1,
    partitionCleanupDays: 1,
    metricsRetentionDays: 1,
    segmentCacheBytesMax: 0,
    logLevel: "info",
    spool: null,
  };
}
