/**
 * One queue of very many partitions: what is done to a few of them reads a few entries, and what is done to all of them goes
 * in steps that read no more than a step's share. 200,000 partitions; a million take too long to make for every run.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cursorClaim, cursorNextReady } from "../../workers/storage/cursors.ts";
import type { Sql } from "../../workers/storage/database.ts";
import { groupSeek } from "../../workers/storage/groups.ts";
import { queueClearCursors } from "../../workers/storage/queue-admin.ts";
import { queueCandidates } from "../../workers/storage/queue-filter.ts";
import { groupFill, partitionEnsure, partitionFind } from "../../workers/storage/queues.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();
setDefaultTimeout(120_000);

const PARTITIONS = 200_000;
const HOT = 10;
const FEW = 200;
/** A step takes 1,000 partitions here; of each it may read its row, its cursor, and a segment, a few times. */
const STEP = 1_000;
const STEP_ENTRIES = 10 * STEP;
/** The step of `consumer_group_fill` is its own. */
const FILL_STEP_ENTRIES = 10 * 10_000;

beforeAll(async () => {
  await engine.sql`insert into queen.queues (name, namespace) select 'q' || i, 'n' || i from generate_series(1, 1000) i`;
  await engine.sql`insert into queen.consumer_groups (queue_id, name, subscription_mode) values (1, 'g', 'all')`;
  await engine.sql`insert into queen.consumer_groups (queue_id, name, subscription_mode, filled_to) values (1, 'late', 'all', 50000)`;
  await engine.sql`
    insert into queen.partitions (queue_id, name, head) select 1, 'p' || i, 1 from generate_series(1, ${PARTITIONS}) i`;
  await engine.sql`
    insert into queen.segments
    select 1, p.id, 0, 1, 0, 1, now(), gen_random_uuid(), null, null, '', '' from queen.partitions p where p.queue_id = 1`;
  await engine.sql`
    insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select 1, p.id, 1, case when p.id % ${PARTITIONS / HOT} = 0 then 0 else 1 end,
           case when p.id % ${PARTITIONS / HOT} = 0 then now() else 'infinity' end
    from queen.partitions p where p.queue_id = 1`;
  await engine.sql`analyze`;
});

const slots = Array.from({ length: HOT }, (_, pop) => ({ pop, batch: 1, leaseId: crypto.randomUUID() }));
const pair = { queueId: 1, groupId: 1, partitionId: null };
const seek = { queueId: 1, group: "g", first: 70_000, only: false, partitionsMax: STEP };
const place = { groupId: 0, readyAt: "-infinity" };
const filter = { namespace: "n7", task: null, group: "g" };

const CALLS: [name: string, most: number, call: (sql: Sql) => Promise<unknown>][] = [
  ["claims the few that are ready", FEW, (sql) => cursorClaim(sql, { ...pair, autoAck: false, slots })],
  ["looks for when there is more", FEW, (sql) => cursorNextReady(sql, [pair], 1_000)],
  ["finds partitions by name", FEW, (sql) => partitionFind(sql, 1, ["p7", "p199999", "none"])],
  ["makes partitions", FEW, (sql) => partitionEnsure(sql, 1, ["p7", "other 1", "other 2"])],
  ["finds the queues of a namespace", FEW, (sql) => queueCandidates(sql, filter, { readyMax: 100, rowsMax: 1_001 })],
  [
    "clears the cursors that are not drained",
    FEW,
    (sql) => queueClearCursors(sql, { queueId: 1, from: place, cursorsMax: STEP }),
  ],
  ["moves cursors to the end, a step", STEP_ENTRIES, (sql) => groupSeek(sql, { ...seek, after: null })],
  [
    "moves cursors to a time, a step",
    STEP_ENTRIES,
    (sql) => groupSeek(sql, { ...seek, after: "2020-01-01T00:00:00Z" }),
  ],
  ["makes cursors of a new group, a step", FILL_STEP_ENTRIES, (sql) => groupFill(sql, 1, 2)],
];

describe.each(["force_custom_plan", "force_generic_plan"] as const)("a queue of 200,000 partitions, %s", (mode) => {
  // Index entries of what was rolled back would count, too.
  beforeAll(async () => {
    await engine.sql`vacuum queen.cursors`;
  });

  test.each(CALLS)("%s", async (_name, most, call) => {
    const { indexes, walked } = await scansOf(engine.sql, mode, call);
    const large = Object.keys(walked).filter((table) =>
      ["partitions", "cursors", "segments", "queues"].includes(table),
    );
    const wide = Object.entries(indexes).filter(([, entries]) => entries > most);
    expect({ large, wide, indexes }).toMatchObject({ large: [], wide: [] });
    expect(Object.keys(indexes).length).toBeGreaterThan(0);
  });
});
