/**
 * Statements that write measurements down, and forget old ones.
 *
 * @module
 */

import type { InstanceSample, QueueSample, SampleBatch, WorkerSample } from "../protocol/samples.ts";
import type { Sql } from "./database.ts";

const TRAFFIC = [
  "push_requests",
  "push_messages",
  "pop_requests",
  "pop_messages",
  "pop_empty",
  "ack_requests",
  "ack_success",
  "ack_failed",
  "auto_acked",
  "transactions",
  "dead_letters",
  "partitions_created",
  "partitions_deleted",
  "lag_count",
  "lag_sum_ms",
  "lag_max_ms",
  "parked_max",
];
const WORK = [
  "database_errors",
  "jobs_done",
  "retention_messages",
  "completed_retention_messages",
  "eviction_messages",
  "retention_events",
  "loop_lag_sum_ms",
  "loop_lag_max_ms",
  "loop_lag_count",
  "looks",
  "free_slots_sum",
  "free_slots_min",
  "job_queue_sum",
  "job_queue_max",
  "connections",
];

/** Writes the rows of a JSON array to a table, in the place of those with the same key. */
function upsert(table: string, keys: readonly string[], values: readonly string[], rows: string): string {
  const columns = [...keys, ...values].join(", ");
  const replaced = values.map((column) => `${column} = excluded.${column}`).join(", ");
  return `insert into queen.${table} (${columns})
    select ${columns} from jsonb_populate_recordset(null::queen.${table}, ${rows}::text::jsonb)
    where exists (select from queen.instances i where i.id = $1)
    on conflict (${keys.join(", ")}) do update set ${replaced}`;
}

const RECORD = `with workers as (
    ${upsert("worker_samples", ["at", "instance_id", "worker"], [...TRAFFIC, ...WORK], "$3")}
  ), queues as (
    ${upsert("queue_samples", ["at", "queue_id", "instance_id", "worker"], TRAFFIC, "$4")}
  ), instance as (
    ${upsert("instance_samples", ["at", "instance_id"], ["sample_count", "metrics"], "$5")}
  )
  update queen.instances set seen_at = clock_timestamp(), totals = $2::text::jsonb where id = $1 returning id`;

/** A sample as a row: names in snake case, whole numbers where columns are. */
function rowOf(sample: WorkerSample | QueueSample, instanceId: number): Record<string, unknown> {
  const row: Record<string, unknown> = { instance_id: instanceId };
  for (const [name, value] of Object.entries(sample)) {
    if (name === "atMs") row.at = new Date(value).toISOString();
    else row[columnOf(name)] = name.startsWith("loopLag") ? value : Math.round(value);
  }
  return row;
}

const columnNames = new Map<string, string>();

function columnOf(name: string): string {
  let column = columnNames.get(name);
  if (column === undefined) {
    column = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    columnNames.set(name, column);
  }
  return column;
}

function instanceRowOf({ atMs, sampleCount, metrics }: InstanceSample, instanceId: number): Record<string, unknown> {
  return { at: new Date(atMs).toISOString(), instance_id: instanceId, sample_count: sampleCount, metrics };
}

/**
 * Makes a process known.
 *
 * @returns Its id.
 */
export async function instanceRegister(sql: Sql, of: Pick<SampleBatch, "hostname" | "port" | "pid">): Promise<number> {
  const [row] = await sql<{ id: number }[]>`
    insert into queen.instances (hostname, port, pid) values (${of.hostname}, ${of.port}, ${of.pid}) returning id`;
  return row!.id;
}

/**
 * Writes samples of a process down.
 *
 * @remarks Idempotent: a sample replaces the one with the same key.
 * @returns False when the process is not known (any more); then nothing was written.
 */
export async function sampleRecord(sql: Sql, instanceId: number, batch: SampleBatch): Promise<boolean> {
  const rows = await sql.unsafe(RECORD, [
    instanceId,
    JSON.stringify(batch.totals),
    JSON.stringify(batch.workers.map((sample) => rowOf(sample, instanceId))),
    JSON.stringify(batch.queues.map((sample) => rowOf(sample, instanceId))),
    JSON.stringify(batch.instance.map((sample) => instanceRowOf(sample, instanceId))),
  ]);
  return rows.length > 0;
}

/** Tables of samples. */
export const SAMPLE_TABLES = ["worker_samples", "queue_samples", "instance_samples"] as const;

/**
 * Deletes some of the samples that are older than so many days.
 *
 * @remarks Rides on the table's primary key, which begins with the time.
 * @returns How many went; fewer than `rowsMax` means that none is left.
 */
export async function sampleExpire(
  sql: Sql,
  of: { table: (typeof SAMPLE_TABLES)[number]; days: number; rowsMax: number },
): Promise<number> {
  const table = sql(`queen.${of.table}`);
  const result = await sql`
    delete from ${table} t where t.ctid = any (array(
      select s.ctid from ${table} s where s.at < now() - make_interval(days => ${of.days}) order by s.at limit ${of.rowsMax}
    ))`;
  return result.count;
}

/**
 * Forgets processes that were not seen for so many days. What they counted goes on counting, as that of process 0.
 *
 * @returns How many went.
 */
export async function instanceExpire(sql: Sql, days: number): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    with gone as (
      delete from queen.instances i where i.id > 0 and i.seen_at < now() - make_interval(days => ${days}) returning i.totals
    ), sums as (
      select e.key, sum(e.value::numeric) as total
      from (
        select g.totals from gone g
        union all
        select i.totals from queen.instances i where i.id = 0
      ) t
      cross join lateral jsonb_each_text(t.totals) e
      group by e.key
    ), kept as (
      insert into queen.instances (id, hostname, port, pid, totals)
      select 0, '', 0, 0, jsonb_object_agg(s.key, s.total) from sums s where exists (select from gone) having count(*) > 0
      on conflict (id) do update set totals = excluded.totals, seen_at = clock_timestamp()
    )
    select count(*) as count from gone`;
  return row!.count;
}
