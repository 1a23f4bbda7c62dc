import { describe, expect, test } from "bun:test";
import { newOctoberWalks, runOctoberForget } from "../../../workers/engine/october/forget.ts";
import { keyOf } from "../../../workers/engine/october/place.ts";
import { octoberFind, octoberNote, octoberRecord } from "../../../workers/storage/october.ts";
import { queueClear } from "../../../workers/storage/queue-admin.ts";
import { scansOf } from "../../plans/scans.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();

async function counts(queueId: number): Promise<number[]> {
  const [row] = await engine.sql`
    select (select count(*)::integer from queen.october_messages where queue_id = ${queueId}) as messages,
           (select count(*)::integer from queen.october_segments where queue_id = ${queueId}) as segments,
           (select count(*)::integer from queen.october_answers where queue_id = ${queueId}) as answers`;
  return [row!.messages, row!.segments, row!.answers];
}

async function noted(ids: readonly string[]): Promise<{ queueId: number; partitionId: number }> {
  const name = uniqueName("oct");
  const queueId = await engine.queue(name);
  const partitionId = await engine.push(name, "p", ids);
  await octoberNote(engine.sql, { queueId, groupId: 1, segments: [{ partitionId, firstOffset: 0 }], ranges: [] });
  return { queueId, partitionId };
}

describe("octoberNote()", () => {
  test("notes every message of a segment by its id, of both kinds, once", async () => {
    const ids = ["a", uuidV7(), "b", uuidV7()];
    const { queueId, partitionId } = await noted(ids);
    for (let round = 0; round < 2; round += 1) {
      await octoberNote(engine.sql, { queueId, groupId: 1, segments: [{ partitionId, firstOffset: 0 }], ranges: [] });
      const found = await octoberFind(engine.sql, ids.map(keyOf));
      expect(found.map((row) => [row.at, row.message_offset])).toEqual([0, 1, 2, 3].map((n) => [n, n]));
    }
    expect(await counts(queueId)).toEqual([4, 1, 0]);
  });
});

describe("runOctoberForget()", () => {
  test("leaves what is kept, and forgets what is not, in steps of any size", async () => {
    const ids = ["c", uuidV7(), "d"];
    const [kept, cleared, gone] = [await noted(ids), await noted(ids), await noted(ids)];
    await engine.sql`
      insert into queen.october_answers values (${kept.queueId}, ${kept.partitionId}, 1, gen_random_uuid(), '{[0,1)}')`;
    await queueClear(engine.sql, { queueId: cleared.queueId, partitionId: null });
    await engine.sql`delete from queen.queues where id = ${gone.queueId}`;
    await engine.sql`delete from queen.segments where queue_id = ${gone.queueId}`;
    const walks = newOctoberWalks();
    let rows = 0;
    for (let round = 0; round < 3; round += 1) rows += await runOctoberForget(engine.sql, walks, () => true, 2);
    expect(rows).toBe(3 + 3 + 1 + 1 + 1);
    expect(await counts(kept.queueId)).toEqual([3, 1, 0]);
    expect(await counts(cleared.queueId)).toEqual([0, 0, 0]);
    expect(await counts(gone.queueId)).toEqual([0, 0, 0]);
  });
});

describe.each(["force_custom_plan", "force_generic_plan"] as const)("plans, %s", (mode) => {
  test("finding and noting messages by their ids alone reads a few entries among 200,000", async () => {
    await engine.sql`
      insert into queen.october_messages
      select gen_random_uuid(), 1 + i % 50, 1 + i % 1000, i from generate_series(1, 200000) i`;
    await engine.sql`analyze queen.october_messages`;
    const [row] = await engine.sql`select key from queen.october_messages limit 1`;
    const recorded = [{ key: keyOf("new"), queueId: 1, partitionId: 1, offset: 1 }];
    const { indexes, walked } = await scansOf(engine.sql, mode, async (sql) => {
      await octoberFind(sql, [row!.key, keyOf("none")]);
      await octoberRecord(sql, recorded);
    });
    expect(walked).toEqual({});
    expect(indexes.october_messages_pkey).toBeLessThan(20);
  });
});
