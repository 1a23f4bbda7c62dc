/**
 * While a session holds an old snapshot, the versions that updates leave behind stay. Hot statements must not visit them
 * all: they would cost more with every message.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type postgres from "postgres";
import { cursorAcknowledge, cursorClaim, cursorNextReady } from "../../workers/storage/cursors.ts";
import { openPool, type Sql } from "../../workers/storage/database.ts";
import { segmentAppend } from "../../workers/storage/segments.ts";
import { useEngine } from "../workers/support/engine.ts";
import { scansOf } from "./scans.ts";

const engine = useEngine();
/** Whole lives of one message each before anything is counted. */
const LIVES = 400;
/** Versions of a row that share a generation are a few dozen at worst: 400 in a row would be a chance of 1 in 10^11. */
const ENTRIES_MAX = 350;

let holder: postgres.Sql;
let floor = -Infinity;

function append(sql: Sql): Promise<unknown> {
  const [body, keys] = [Buffer.from("x"), Buffer.alloc(16)];
  const place = { queueId: 1, partitionId: 1, configVersion: 1, seenHead: -1, seenEpoch: 0 };
  const segment = { messageCount: 1, format: 0, rawBytes: 1, idBase: crypto.randomUUID(), txMin: null, txMax: null };
  return segmentAppend(sql, [{ ...place, ...segment, body, keys, otherKeys: [] }], body, keys);
}

function claim(sql: Sql, leaseId: string) {
  const slots = [{ pop: 0, batch: 10, leaseId }];
  return cursorClaim(sql, { queueId: 1, groupId: 1, partitionId: null, autoAck: false, slots, floor });
}

async function live(sql: Sql): Promise<void> {
  const leaseId = crypto.randomUUID();
  await append(sql);
  const [row] = await claim(sql, leaseId);
  floor = Date.parse(row!.ready_at);
  const done = [row!.first_offset, row!.end_offset];
  const place = { queueId: 1, partitionId: 1, groupId: 1 };
  await cursorAcknowledge(sql, [{ ...place, leaseId, done, released: [], failed: [] }]);
}

beforeAll(async () => {
  await engine.sql.unsafe(`
    insert into queen.queues (name) values ('q');
    insert into queen.partitions (queue_id, name) values (1, 'p');
    select queen.consumer_group_register(1, 'g', 'all', null, null);`);
  await live(engine.sql);
  holder = openPool(engine.context.settings.database, 1, "holder");
  await holder`begin isolation level repeatable read`;
  await holder`select pg_current_xact_id()`;
  for (let count = 0; count < LIVES; count += 1) await live(engine.sql);
  await engine.sql`analyze`;
});

afterAll(async () => {
  await holder`rollback`;
  await holder.end({ timeout: 5 });
});

describe("while a snapshot is held", () => {
  test("dead versions pile up, and a look-up by key alone visits them", async () => {
    const { indexes } = await scansOf(
      engine.sql,
      "force_custom_plan",
      (sql) => sql`select from queen.cursors where queue_id = 1 and partition_id = 1 and group_id = 1`,
    );
    expect(indexes.cursors_pkey).toBeGreaterThan(LIVES);
  });

  test.each(["force_custom_plan", "force_generic_plan"] as const)("a message's life visits few, %s", async (mode) => {
    const { indexes, walked } = await scansOf(engine.sql, mode, live);
    expect(walked).toEqual({});
    for (const index of ["partitions_pkey", "cursors_pkey", "cursors_ready"]) {
      expect(indexes[index]).toBeGreaterThan(0);
      expect(indexes[index]).toBeLessThan(ENTRIES_MAX);
    }
  });

  test("so does looking for when there is more", async () => {
    const pair = { queueId: 1, groupId: 1, partitionId: null };
    const few = await scansOf(engine.sql, "force_generic_plan", (sql) =>
      cursorNextReady(sql, [{ ...pair, floor }], 1000),
    );
    expect(few.indexes.cursors_ready).toBeLessThan(ENTRIES_MAX);
    const all = await scansOf(engine.sql, "force_generic_plan", (sql) => cursorNextReady(sql, [pair], 1e6));
    expect(all.indexes.cursors_ready).toBeGreaterThan(LIVES);
  });
});
