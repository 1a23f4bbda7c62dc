/**
 * Listings of a large inventory: they read what they show and what they count, along indexes, and never everything for each queue. Statistics
 * are those of one queue of 120,000 partitions beside 1,000 queues of one: plans that suit the one must not be used for the others.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Found, findPage, type Wanted } from "../../workers/engine/message-walk.ts";
import type { Sql } from "../../workers/storage/database.ts";
import { queueCounts, queueList } from "../../workers/storage/listing-counts.ts";
import { groupCursors, groupList, laggingList } from "../../workers/storage/listing-groups.ts";
import { type MessageFilter, messageWalk } from "../../workers/storage/listing-messages.ts";
import { partitionList } from "../../workers/storage/listing-partitions.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();
setDefaultTimeout(120_000);

const PARTITIONS = 120_000;
const QUEUES = 1_000;
const OPEN = 120;
/** Entries of a page of 20: a few for each element, its cursors, its segments. */
const FEW = 400;
/** Entries of what counts all small queues: a few for each. */
const ONCE = 8 * QUEUES;

beforeAll(async () => {
  const { sql } = engine;
  await sql`insert into queen.queues (name) select 'q' || i from generate_series(1, ${QUEUES}) i`;
  await sql`insert into queen.queues (name) values ('large')`;
  await sql`insert into queen.consumer_groups (queue_id, name, subscription_mode) select q.id, 'g', 'all' from queen.queues q order by q.id`;
  await sql`
    insert into queen.partitions (queue_id, name, head) select q.id, 'p' || i, 1
    from queen.queues q cross join lateral generate_series(1, case q.name when 'large' then ${PARTITIONS}::integer else 1 end) i`;
  await sql`
    insert into queen.segments
    select p.queue_id, p.id, 0, 1, 0, 1, now() - make_interval(secs => p.id / 100.0), gen_random_uuid(), null, null, '', '' from queen.partitions p`;
  // Every 1,000th partition of the large queue, and no other, has something left.
  await sql`
    insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select p.queue_id, p.id, g.id, case when p.name like '%000' then 0 else 1 end, case when p.name like '%000' then now() else 'infinity' end
    from queen.partitions p join queen.consumer_groups g on g.queue_id = p.queue_id`;
  await sql`analyze`;
});

const any = { queue: null, namespace: null, task: null };
const page = { limit: 20, offset: 0 };
const messages = (filter: Partial<MessageFilter>) => (sql: Sql) =>
  messageWalk(
    sql,
    { ...any, partition: null, status: null, ...filter },
    { from: "-infinity", to: "infinity", after: null, segmentsMax: 20, skip: 0, take: 20 },
  );
const small = Array.from({ length: QUEUES }, (_, index) => index + 1);

const CALLS: [name: string, most: number, call: (sql: Sql) => Promise<unknown>][] = [
  ["a page of queues", FEW, (sql) => queueList(sql, any, { limit: 20, offset: 1 })],
  ["all small queues", ONCE, (sql) => queueCounts(sql, small)],
  ["the large queue", 2 * PARTITIONS, (sql) => queueCounts(sql, [QUEUES + 1])],
  ["a page of its partitions", FEW, (sql) => partitionList(sql, { ...any, queue: "large", depthMin: 0 }, page)],
  ["its deep partitions", FEW, (sql) => partitionList(sql, { ...any, queue: "large", depthMin: 1 }, page)],
  ["deep partitions of all queues", ONCE, (sql) => partitionList(sql, { ...any, depthMin: 1 }, page)],
  ["the newest messages of the large queue", FEW, messages({ queue: "large" })],
  ["its completed messages", FEW, messages({ queue: "large", status: "completed" })],
  ["its messages being processed", FEW, messages({ queue: "large", status: "processing" })],
  ["its dead letters", FEW, messages({ queue: "large", status: "dead_letter" })],
  ["messages of one partition", FEW, messages({ queue: "large", partition: "p777" })],
  ["the cursors of a group", PARTITIONS + ONCE, (sql) => groupCursors(sql, "g", { limit: 20, offset: 500 })],
  ["groups", 2 * PARTITIONS + ONCE, (sql) => groupList(sql, { limit: 10_000, offset: 0 })],
  ["what lags", ONCE + OPEN, (sql) => laggingList(sql, 0, page)],
];

const MODES = ["force_custom_plan", "force_generic_plan"] as const;

describe.each(MODES)("listings of 120,000 partitions and 1,000 queues, %s", (mode) => {
  test.each(CALLS)("%s", async (_name, most, call) => {
    const { indexes, walked } = await scansOf(engine.sql, mode, call);
    // Queues and groups are few, and a listing of all cursors may read their table from end to end, once.
    const often = Object.entries(walked).filter(
      ([table, rows]) => ["partitions", "cursors", "segments"].includes(table) && rows > PARTITIONS + QUEUES,
    );
    const wide = Object.entries(indexes).filter(([, entries]) => entries > most);
    expect({ often, wide, indexes, walked }).toMatchObject({ often: [], wide: [] });
    if (most === FEW)
      expect(Object.keys(walked).filter((table) => /^(partitions|cursors|segments)$/.test(table))).toEqual([]);
  });
});

describe.each(MODES)("a search for messages, %s", (mode) => {
  const everything = { ...any, partition: null, status: null } satisfies MessageFilter;
  const [from, to] = ["2000-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"];
  const find = (wanted: Wanted): Promise<Found> =>
    engine.sql.begin("read only", async (sql) => {
      await sql`select set_config('plan_cache_mode', ${mode}, true)`;
      return await findPage(sql, wanted);
    }) as Promise<Found>;

  test("over all queues, which goes by slices of time, finds what one look at everything finds", async () => {
    for (const offset of [0, 995, 30_000]) {
      const rows = await engine.sql<{ partition_id: number }[]>`
        select s.partition_id from queen.segments s
        order by s.created_at desc, s.queue_id desc, s.partition_id desc limit 50 offset ${offset}`;
      const now = new Date().toISOString();
      const found = await find({ filter: everything, from, to: now, limit: 50, offset });
      expect(found.messages.map(({ run }) => run.partition_id)).toEqual(rows.map((row) => row.partition_id));
    }
  });

  test("gives up after 100,000 segments that do not fill the page, and says how far it came", async () => {
    const filter: MessageFilter = { ...everything, queue: "large", status: "pending" };
    const found = await find({ filter, from, to, limit: 1_000, offset: 0 });
    const [{ searched }] = await engine.sql<[{ searched: number }]>`
      select count(*) as searched from queen.segments s
      join queen.partitions p on p.queue_id = s.queue_id and p.id = s.partition_id
      where p.queue_id = ${QUEUES + 1} and p.name like '%000' and s.created_at >= ${found.searchedTo}::timestamptz`;
    expect(found.messages.length).toBe(searched);
    expect(searched).toBeGreaterThanOrEqual(95);
    expect(searched).toBeLessThan(OPEN);
    const all = await find({ filter, from, to, limit: 90, offset: 5 });
    expect(all.searchedTo).toBeNull();
    expect(all.messages.map(({ run }) => run.partition_id)).toEqual(
      found.messages.slice(5, 95).map(({ run }) => run.partition_id),
    );
  });
});

test("counts the same where most cursors are undrained, which are then read side by side with their partitions", async () => {
  class Done extends Error {}
  const attempt = engine.sql.begin(async (sql) => {
    const queue = QUEUES + 1;
    const [before] = await queueCounts(sql, [queue]);
    expect(before).toMatchObject({
      partitions: PARTITIONS,
      total: PARTITIONS,
      pending: OPEN,
      completed: PARTITIONS - OPEN,
    });
    await sql`
      update queen.cursors c set next_offset = 0, ready_at = now(),
        lease_id = case when c.partition_id % 7 = 0 then gen_random_uuid() end, lease_expires_at = now() + interval '1 hour',
        lease_first = 0, lease_end = 1
      where c.queue_id = ${queue} and c.partition_id % 3 > 0`;
    const [expected] = await sql<[{ pending: number; processing: number }]>`
      select count(*) filter (where c.next_offset = 0) as pending, count(*) filter (where c.lease_id is not null) as processing
      from queen.cursors c where c.queue_id = ${queue}`;
    const { pending } = expected;
    expect(pending).toBeGreaterThan(PARTITIONS / 2);
    expect(await queueCounts(sql, [queue])).toMatchObject([
      { ...expected, total: PARTITIONS, completed: PARTITIONS - pending },
    ]);
    throw new Done();
  });
  await expect(attempt).rejects.toThrow(Done);
});
