/**
 * An engine over an empty database of its own, for what cannot be seen or brought about over HTTP.
 *
 * @module
 */
import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import type postgres from "postgres";
import { migrate } from "../../../schema/database/migrate.ts";
import { KeyRing } from "../../../schema/wire/segment.ts";
import { Catalog } from "../../../workers/engine/catalog.ts";
import type { EngineContext } from "../../../workers/engine/context.ts";
import { Counters } from "../../../workers/engine/counters.ts";
import { Events } from "../../../workers/engine/events.ts";
import { Pusher } from "../../../workers/engine/push.ts";
import { SegmentCache } from "../../../workers/engine/segment-cache.ts";
import type { DatabaseTarget, WorkerSettings } from "../../../workers/protocol.ts";
import { type Database, openDatabase as openLanes, openPool } from "../../../workers/storage/database.ts";
import { type QueueOptions, queueConfigure } from "../../../workers/storage/queues.ts";
import { openDatabase } from "../../support/database.ts";
import { uniqueName } from "../../support/names.ts";
import { sharedServer } from "../../support/server.ts";

const CONNECTIONS = 4;

/** What a test works with. Usable from within tests only. */
export class TestEngine {
  context!: EngineContext;
  pusher!: Pusher;
  /** Connection of the test itself. */
  sql!: postgres.Sql;
  database!: Database;
  /** What the engine told others, in order. */
  readonly changed: string[] = [];
  readonly ready: number[] = [];
  readonly logged: { level: string; event: string; fields: Record<string, unknown> }[] = [];

  async open(settings: Partial<WorkerSettings>): Promise<void> {
    const target = await freshDatabase();
    this.sql = openPool(target, 1, "test");
    await migrate(this.sql);
    this.database = openLanes(target, CONNECTIONS, "test engine");
    const context: EngineContext = {
      settings: { ...SETTINGS, database: target, ...settings },
      database: this.database,
      catalog: new Catalog(this.database),
      ring: new KeyRing([]),
      segments: new SegmentCache(1024 * 1024),
      counters: new Counters(),
      events: new Events("test-0", () => {}),
      queueChanged: (name) => {
        context.catalog.invalidate([name]);
        this.changed.push(name);
      },
      queuesReady: (ids) => void this.ready.push(...ids),
      log: (level, event, fields) => void this.logged.push({ level, event, fields }),
      send: () => {},
    };
    this.context = context;
    this.pusher = new Pusher(context);
  }

  async close(): Promise<void> {
    await this.database?.close();
    await this.sql?.end({ timeout: 5 });
  }

  /** Makes a queue. @returns Its id. */
  async queue(name: string, options: Partial<QueueOptions> = {}): Promise<number> {
    const row = await queueConfigure(this.sql, { name, namespace: "", task: "", options: { ...OPTIONS, ...options } });
    this.context.catalog.invalidate([name]);
    return row.id;
  }

  /** Pushes messages in one request, which makes them one segment. @returns The id of their partition. */
  async push(queue: string, partition: string, transactionIds: readonly (string | null)[]): Promise<number> {
    const items = transactionIds.map((transactionId) => ({
      queue,
      partition,
      transactionId,
      traceId: null,
      payload: JSON.stringify(transactionId),
    }));
    const results = await this.pusher.push(items, false, null);
    const failed = results.find((result) => result.outcome.status !== "queued");
    if (failed) throw new Error(`push: ${JSON.stringify(failed)}`);
    const row = await this.context.catalog.queue(queue);
    return (await this.context.catalog.partition(row!, partition))!.id;
  }

  /** Registers a group that consumes everything and puts its cursor on a partition at an offset. */
  async cursorAt(queueId: number, partitionId: number, group: string, offset: number): Promise<void> {
    await this.sql`select queen.consumer_group_register(${queueId}, ${group}, 'all', null, null)`;
    await this.sql`
      update queen.cursors c set next_offset = ${offset}, ready_at = case when p.head > ${offset} then now() else 'infinity' end
      from queen.partitions p, queen.consumer_groups g
      where c.queue_id = ${queueId} and c.partition_id = ${partitionId} and g.queue_id = c.queue_id and g.id = c.group_id
        and g.name = ${group} and p.queue_id = c.queue_id and p.id = c.partition_id`;
  }

  /** Makes everything in a queue older. */
  async age(queueId: number, seconds: number): Promise<void> {
    await this.sql`
      update queen.segments set created_at = created_at - make_interval(secs => ${seconds}) where queue_id = ${queueId}`;
    await this.sql`
      update queen.partitions set pushed_at = pushed_at - make_interval(secs => ${seconds}),
        created_at = created_at - make_interval(secs => ${seconds}) where queue_id = ${queueId}`;
  }
}

/**
 * Opens an engine before the tests of the calling file and closes it after them. To be called at the top level.
 *
 * @param settings - Differences from the defaults.
 */
export function useEngine(settings: Partial<WorkerSettings> = {}): TestEngine {
  setDefaultTimeout(60_000);
  const engine = new TestEngine();
  beforeAll(() => engine.open(settings));
  afterAll(() => engine.close());
  return engine;
}

/** Makes an empty database in the cluster of the shared server, which goes with that server. */
async function freshDatabase(): Promise<DatabaseTarget> {
  const { dataDir } = await sharedServer();
  const sql = await openDatabase(dataDir);
  try {
    const database = uniqueName("engine").replaceAll("-", "_");
    await sql.unsafe(`create database ${database}`);
    const [row] = await sql`
      select current_setting('unix_socket_directories') as folder, current_setting('port')::integer as port, current_user as name`;
    // The folder is shown in quotes.
    return { ...TARGET, hosts: [row!.folder.replaceAll('"', "")], port: row!.port, user: row!.name, database };
  } finally {
    await sql.end();
  }
}

const TARGET = {
  password: null,
  tls: "off",
  prepare: true,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 30_000,
  statementTimeoutMs: 30_000,
  lockTimeoutMs: 5_000,
} as const;

const SETTINGS: Omit<WorkerSettings, "database"> = {
  index: 0,
  workerCount: 1,
  instanceId: "test",
  connectionsMax: CONNECTIONS,
  encryptionKeys: [],
  autoCreateQueues: true,
  defaultSubscriptionMode: "",
  popPollMs: { initial: 100, max: 1_000 },
  retentionIntervalMs: 300_000,
  retentionBatchSize: 1_000,
  evictionIntervalMs: 60_000,
  evictionBatchSize: 1_000,
  partitionCleanupDays: 30,
  metricsRetentionDays: 90,
  segmentCacheBytesMax: 1024 * 1024,
  logLevel: "info",
  spool: null,
};

const OPTIONS: QueueOptions = {
  lease_time_s: 300,
  retry_limit: 3,
  retry_delay_ms: null,
  max_size: 0,
  ttl_s: null,
  dead_letter_queue: false,
  dlq_after_max_retries: false,
  priority: 0,
  delayed_processing_s: 0,
  window_buffer_s: 0,
  retention_s: 0,
  completed_retention_s: 0,
  retention_enabled: false,
  encryption_enabled: false,
  max_wait_time_s: 0,
};
