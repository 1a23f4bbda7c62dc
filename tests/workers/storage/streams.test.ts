import { describe, expect, test } from "bun:test";
import { runCleanup, runPurge } from "../../../workers/engine/retention.ts";
import type { Sql } from "../../../workers/storage/database.ts";
import { queueDelete } from "../../../workers/storage/queue-admin.ts";
import {
  streamAcknowledge,
  streamCycleBegin,
  streamQueryRegister,
  streamStateOrphans,
  streamStateRead,
} from "../../../workers/storage/streams.ts";
import { scansOf } from "../../plans/scans.ts";
import { uniqueName } from "../../support/names.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();
const run = () => ({ context: engine.context, sql: engine.database.look, proceed: () => true });
const ALL = { keys: null, prefix: "", ripeAtOrBefore: null };

/** A query with two states on a partition of a queue. */
async function kept() {
  const queue = uniqueName("stream");
  const queueId = await engine.queue(queue);
  const partitionId = await engine.push(queue, "p", ["t"]);
  const query = { name: uniqueName("query"), sourceQueue: queue, sinkQueue: null, configHash: "h", reset: true };
  const { id } = await streamQueryRegister(engine.sql, query);
  const at = { queueId, partitionId, queryId: id };
  await begin(at, ["a", "b"]);
  return { queue, query, at };
}

function begin(
  at: { queueId: number; partitionId: number; queryId: string },
  keys: string[],
  cycleId: string = crypto.randomUUID(),
  sql: Sql = engine.sql,
) {
  const upserts = keys.map((key) => ({ key, value: "{}", windowEnd: 1.5 }));
  const changes = { upserts, deletes: [] };
  return streamCycleBegin(sql, { ...at, cycleId, changes });
}

const keysOf = async (at: Parameters<typeof streamStateRead>[1]) =>
  (await streamStateRead(engine.sql, at, ALL, 100)).map((row) => row.key);

async function rowsOf(table: string, queueId: number): Promise<number> {
  const rows = await engine.sql.unsafe(`select from queen.${table} where queue_id = ${queueId}`);
  return rows.length;
}

describe("streamCycleBegin()", () => {
  test("knows its cycle again until another one came, and changes nothing then", async () => {
    const { at } = await kept();
    const cycleId = crypto.randomUUID();
    expect(await begin(at, ["c"], cycleId)).toBe("begun");
    expect(await begin(at, ["d"], cycleId)).toBe("repeated");
    expect(await keysOf(at)).toEqual(["a", "b", "c"]);
    expect(await begin(at, [])).toBe("begun");
    expect(await begin(at, ["d"], cycleId)).toBe("begun");
    expect(await keysOf(at)).toEqual(["a", "b", "c", "d"]);
  });

  test("refuses state of an unknown query", async () => {
    const { at } = await kept();
    expect(await begin({ ...at, queryId: crypto.randomUUID() }, ["c"])).toBe("unknown");
    expect(await begin({ ...at, queryId: crypto.randomUUID() }, [])).toBe("begun");
  });
});

describe("what nobody can reach any more", () => {
  test("of a reset query is cleared away by the purge, and only that", async () => {
    const [one, two] = [await kept(), await kept()];
    await streamQueryRegister(engine.sql, { ...one.query, configHash: "other" });
    await begin(one.at, ["c"]);
    expect(await rowsOf("stream_state", one.at.queueId)).toBe(3);
    expect(await streamStateOrphans(engine.sql, 10)).toMatchObject([{ queue_id: one.at.queueId }]);
    await runPurge(run());
    expect(await streamStateOrphans(engine.sql, 10)).toEqual([]);
    expect(await rowsOf("stream_state", one.at.queueId)).toBe(1);
    expect(await keysOf(one.at)).toEqual(["c"]);
    expect(await keysOf(two.at)).toEqual(["a", "b"]);
  });

  test("of a deleted queue is cleared away by the purge", async () => {
    const { queue, at } = await kept();
    await queueDelete(engine.sql, queue);
    await runPurge(run());
    expect([await rowsOf("stream_state", at.queueId), await rowsOf("stream_cycles", at.queueId)]).toEqual([0, 0]);
  });

  test("of a forgotten partition goes with it", async () => {
    const { queue, at } = await kept();
    const other = await engine.push(queue, "other", ["t"]);
    await begin({ ...at, partitionId: other }, ["x"]);
    await engine.sql`
      update queen.partitions set tail = head, pushed_at = now() - interval '40 days'
      where queue_id = ${at.queueId} and id = ${at.partitionId}`;
    await runCleanup(run(), { queueId: at.queueId - 1, id: 0 });
    expect(await keysOf(at)).toEqual([]);
    expect(await keysOf({ ...at, partitionId: other })).toEqual(["x"]);
    expect(await rowsOf("stream_cycles", at.queueId)).toBe(1);
  });
});

describe("statements over a large state", () => {
  test.each(["force_custom_plan", "force_generic_plan"] as const)("read what they name, %s", async (mode) => {
    const { at } = await kept();
    await engine.sql`
      insert into queen.stream_state (queue_id, state_id, partition_id, key, value, window_end)
      select ${at.queueId}, q.state_id, p, 'k' || i, '{}', i
      from queen.stream_queries q, generate_series(${at.partitionId}::bigint, ${at.partitionId + 19}::bigint) p, generate_series(1, 1000) i
      where q.id = ${at.queryId}`;
    await engine.cursorAt(at.queueId, at.partitionId, "g", 0);
    const [group] =
      await engine.sql`select id from queen.consumer_groups where queue_id = ${at.queueId} and name = 'g'`;
    const groupId: number = group!.id;
    await engine.sql`analyze queen.stream_state`;
    const few: ((sql: Sql) => Promise<unknown>)[] = [
      (sql) => streamStateRead(sql, at, { ...ALL, keys: ["k1", "k2"] }, 100),
      (sql) => streamStateRead(sql, at, { ...ALL, prefix: "k99" }, 100),
      (sql) => begin(at, ["k5", "k6"], crypto.randomUUID(), sql),
      (sql) => streamStateOrphans(sql, 100),
      (sql) => streamAcknowledge(sql, { ...at, groupId, leaseId: null, offset: 0, release: true, dead: null }),
      (sql) => streamAcknowledge(sql, { ...at, groupId, leaseId: null, offset: 0, release: true, dead: "e" }),
    ];
    for (const [index, call] of few.entries()) {
      const { indexes, walked } = await scansOf(engine.sql, mode, call);
      const wide = Object.entries(indexes).filter(([, entries]) => entries > 100);
      expect({ index, wide, walked: walked.stream_state ?? 0 }).toEqual({ index, wide: [], walked: 0 });
    }
  });
});
