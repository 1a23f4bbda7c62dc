/** Groups of a queue of very many partitions are registered and moved in steps, between which pushes go on. */
import { beforeAll, describe, expect, test } from "bun:test";
import { groupSeek } from "../../../workers/storage/groups.ts";
import { groupFill, groupRegister } from "../../../workers/storage/queues.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();
/** A step takes 10,000. */
const PARTITIONS = 25_000;
const OLD = "2020-01-01T00:00:00Z";
const BETWEEN = "2021-06-01T00:00:00Z";

let queueId: number;

/** Two segments of one message in each partition: one of 2021-01, one of 2022-01. */
beforeAll(async () => {
  queueId = await engine.queue("many");
  await engine.sql`
    insert into queen.partitions (queue_id, name, head) select ${queueId}, 'p' || i, 2 from generate_series(1, ${PARTITIONS}) i`;
  await engine.sql`
    insert into queen.segments
    select p.queue_id, p.id, s, 1, 0, 1, timestamptz '2021-01-01Z' + s * interval '1 year', gen_random_uuid(), null, null, '', ''
    from queen.partitions p, generate_series(0, 1) s where p.queue_id = ${queueId}`;
});

/** How many cursors of a group stand at each offset. */
async function places(groupId: number): Promise<Record<number, number>> {
  const rows = await engine.sql<{ next_offset: number; count: number }[]>`
    select c.next_offset, count(*) as count from queen.cursors c
    where c.queue_id = ${queueId} and c.group_id = ${groupId} group by 1 order by 1`;
  return Object.fromEntries(rows.map((row) => [row.next_offset, row.count]));
}

async function seek(group: string, after: string | null): Promise<number[]> {
  const moved: number[] = [];
  for (let first = 0; ; ) {
    const step = await groupSeek(engine.sql, { queueId, group, first, only: false, after, partitionsMax: 10_000 });
    moved.push(step.moved);
    if (step.last === null) return moved;
    first = step.last + 1;
  }
}

describe("a group of a queue of many partitions", () => {
  test.each([
    ["all", null, 0],
    ["timestamp", BETWEEN, 1],
  ] as const)(
    "of mode %s starts everywhere, also where messages arrive before its cursor does",
    async (mode, from, at) => {
      const group = { queueId, name: mode, subscription: { mode, from }, partitionId: null };
      const registered = await groupRegister(engine.sql, group);
      expect(registered.filling).toBe(true);
      await engine.push("many", `p${PARTITIONS}`, [`one more ${mode}`]);
      await engine.push("many", "p1", [`one more ${mode}`]);
      await engine.push("many", `new ${mode}`, ["first"]);
      // Whoever comes meanwhile is told to go on, too.
      expect((await groupRegister(engine.sql, group)).filling).toBe(true);
      let steps = 1;
      while (await groupFill(engine.sql, queueId, registered.id!)) steps += 1;
      expect(steps).toBeGreaterThanOrEqual(2);
      expect((await groupRegister(engine.sql, group)).filling).toBe(false);
      const [news] = await engine.sql<{ count: number }[]>`
      select count(*) as count from queen.partitions p where p.queue_id = ${queueId} and p.name like 'new%'`;
      expect(await places(registered.id!)).toEqual(
        at === 0 ? { 0: PARTITIONS + news!.count } : { 0: news!.count, 1: PARTITIONS },
      );
    },
  );

  test("whose subscription starts now has nothing to be given", async () => {
    const registered = await groupRegister(engine.sql, {
      ...{ queueId, name: "new", subscription: { mode: "new", from: null }, partitionId: null },
    });
    expect(registered.filling).toBe(false);
    expect(await places(registered.id!)).toEqual({});
  });

  test("is moved in steps, to the end and to a time, also while it is being registered", async () => {
    const registered = await groupRegister(engine.sql, {
      ...{ queueId, name: "moved", subscription: { mode: "all", from: null }, partitionId: null },
    });
    const moved = await seek("moved", BETWEEN);
    expect(moved.length).toBe(3);
    expect(moved.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(PARTITIONS);
    expect(await groupFill(engine.sql, queueId, registered.id!)).toBe(false);
    expect((await places(registered.id!))[1]).toBe(PARTITIONS);
    await seek("moved", null);
    expect((await places(registered.id!))[1] ?? 0).toBeLessThan(PARTITIONS / 100);
    await seek("moved", OLD);
    expect((await places(registered.id!))[0]).toBeGreaterThanOrEqual(PARTITIONS);
  });
});
