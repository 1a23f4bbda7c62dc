/**
 * Pushes that waited: their time-ordered ids lie among those that others appended meanwhile, so that each must be looked for. What
 * that costs must grow with the messages and not with their square, or a backlog never gets shorter.
 */
import { beforeAll, expect, test } from "bun:test";
import { useEngine } from "../workers/support/engine.ts";

const engine = useEngine();
/** Of one partition, in segments of a thousand; compared one by one with a batch they would take half a minute. */
const SEGMENTS = 40;
const BATCH = 5_000;
/** On an idle machine it takes 0.1 s. */
const MS_MAX = 5_000;

const id = (time: string, rest: string) => `'${time}-7000-8000-${rest}'::uuid`;

beforeAll(async () => {
  await engine.sql.unsafe(`
    insert into queen.queues (name) values ('late');
    insert into queen.partitions (queue_id, name, head) values (1, 'p', ${SEGMENTS * 1_000});
    insert into queen.segments
      select 1, 1, s * 1000, 1000, 0, 100, now(), gen_random_uuid(),
        ${id("01900000-0000", "000000000000")}, ${id("01900000-ffff", "000000000000")},
        (select string_agg(decode(md5('kept ' || s || ' ' || i), 'hex'), ''::bytea order by i) from generate_series(1, 1000) i), ''
      from generate_series(0, ${SEGMENTS - 1}) s`);
});

test("are looked for by hash", async () => {
  // Two of the batch are there already.
  const find = `
    with batch as (
      select string_agg(case i when 7 then decode(md5('kept 3 11'), 'hex') when 4999 then decode(md5('kept 39 1000'), 'hex')
                               else decode(md5('new ' || i), 'hex') end, ''::bytea order by i) as keys
      from generate_series(0, ${BATCH - 1}) i
    )
    select f.batch_index, f.message_offset::integer from batch cross join lateral queen.segment_find_keys(
      1, 1, 0, ${id("01900000-0000", "000000000000")}, ${id("01900000-ffff", "000000000000")}, batch.keys, 0, ${BATCH}) f
    order by f.batch_index`;
  // As within segment_append, which keeps the planner from what it needs here.
  await engine.sql.unsafe(`set enable_hashjoin = off; set enable_mergejoin = off; set enable_sort = off`);
  const startedAt = performance.now();
  const found = await engine.sql.unsafe(find);
  const ms = performance.now() - startedAt;
  expect(found.map((row) => [row.batch_index, row.message_offset])).toEqual([
    [7, 3_010],
    [4_999, 39_999],
  ]);
  expect(ms).toBeLessThan(MS_MAX);
});
