/**
 * A partition that somebody is pushing to must not hide the messages of others from a pop.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type postgres from "postgres";
import { leasedAckOf } from "../../support/api.ts";
import { openDatabase } from "../../support/database.ts";
import { uniqueName } from "../../support/names.ts";
import { sharedServer } from "../../support/server.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
let sql: postgres.Sql;
beforeAll(async () => {
  sql = await openDatabase((await sharedServer()).dataDir);
});
afterAll(async () => {
  await sql.end();
});

test("a pop passes over partitions that are drained and locked", async () => {
  const queue = uniqueName("busy");
  for (const partition of ["a", "b", "c"]) await api.pushAll(queue, partition, [partition]);
  const held = await api.pop(queue, { batch: 10, partitions: 10 });
  expect(held).toHaveLength(3);
  await sql.begin(async (transaction) => {
    // As a push does while it is under way: drained cursors cannot be settled, and stay ready.
    await transaction`
      select from queen.partitions p join queen.queues q on q.id = p.queue_id where q.name = ${queue} for no key update of p`;
    await api.ackBatch(held.map((message) => leasedAckOf(message)));
    await api.pushAll(queue, "d", ["d"]);
    expect((await api.pop(queue)).map((message) => message.data)).toEqual(["d"]);
    expect(await api.pop(queue)).toEqual([]);
  });
  await api.pushAll(queue, "b", ["again"]);
  expect((await api.pop(queue)).map((message) => message.data)).toEqual(["again"]);
});
