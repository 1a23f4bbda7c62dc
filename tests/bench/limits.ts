/**
 * What the database itself can do with the same bytes: a bare loop with the same driver, one row per batch, compressed
 * as the server compresses. The physical limit beside each figure of the bench.
 *
 * @module
 */

import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Sql } from "postgres";
import { buildPayload, seededRandom } from "./load/payloads.ts";

const ROWS_FOR_READING = 200;
const TABLE = "bench_limit.batch";

/** What the bare loop does. */
export interface LimitShape {
  /** Messages in one row. */
  perRow: number;
  /** Statements under way at once, each on a connection of its own. */
  connections: number;
  seconds: number;
  payloadBytes: number;
  seed: number;
}

/** What the bare loop reached. */
export interface Limit {
  messagesPerSecond: number;
  /** Table and its index, per message. */
  bytesPerMessage: number;
}

/**
 * Inserts batches for a while.
 *
 * @param sql - Pool with at least `connections` connections to the database of the server under test.
 * @param shape - See {@link LimitShape}.
 * @returns What it reached. The table is dropped again.
 */
export async function insertLimit(sql: Sql, shape: LimitShape): Promise<Limit> {
  const batches = buildBatches(shape);
  await createTable(sql);
  try {
    const messagesPerSecond = await loop(shape, async (turn) => {
      const body = zstdCompressSync(batches[turn % batches.length]!, { params: { 100: 1 } });
      await sql`insert into bench_limit.batch (first_offset, body) values (${turn}, ${body})`;
    });
    const [size] = await sql<{ bytes: string; rows: string }[]>`
      select pg_total_relation_size(${TABLE}) as bytes, count(*) as rows from bench_limit.batch`;
    return { messagesPerSecond, bytesPerMessage: Number(size!.bytes) / Number(size!.rows) / shape.perRow };
  } finally {
    await sql`drop schema bench_limit cascade`;
  }
}

/**
 * Reads batches back for a while and decompresses them.
 *
 * @param sql - As for {@link insertLimit}.
 * @param shape - See {@link LimitShape}.
 * @returns What it reached. The table is dropped again.
 */
export async function readLimit(sql: Sql, shape: LimitShape): Promise<Limit> {
  const batches = buildBatches(shape);
  await createTable(sql);
  try {
    for (let turn = 0; turn < ROWS_FOR_READING; turn++) {
      const body = zstdCompressSync(batches[turn % batches.length]!, { params: { 100: 1 } });
      await sql`insert into bench_limit.batch (first_offset, body) values (${turn}, ${body})`;
    }
    const messagesPerSecond = await loop(shape, async (turn) => {
      const [row] = await sql<{ body: Uint8Array }[]>`
        select body from bench_limit.batch where first_offset = ${turn % ROWS_FOR_READING}`;
      zstdDecompressSync(row!.body);
    });
    return { messagesPerSecond, bytesPerMessage: 0 };
  } finally {
    await sql`drop schema bench_limit cascade`;
  }
}

async function createTable(sql: Sql): Promise<void> {
  await sql`create schema bench_limit`;
  await sql`create table bench_limit.batch (id bigint generated always as identity primary key, first_offset int not null, body bytea not null)`;
  await sql`alter table bench_limit.batch alter column body set storage external`;
  await sql`create index on bench_limit.batch (first_offset)`;
}

async function loop(shape: LimitShape, step: (turn: number) => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  let turn = 0;
  const one = async () => {
    while (performance.now() - startedAt < shape.seconds * 1000) await step(turn++);
  };
  await Promise.all(Array.from({ length: shape.connections }, one));
  return (turn * shape.perRow) / ((performance.now() - startedAt) / 1000);
}

function buildBatches(shape: LimitShape): Buffer[] {
  const random = seededRandom(shape.seed);
  return Array.from({ length: 20 }, (_, index) => {
    const payloads = Array.from({ length: shape.perRow }, (_, item) =>
      buildPayload(random, `l${index}`, shape.payloadBytes, index * shape.perRow + item),
    );
    return Buffer.from(`[${payloads.join(",")}]`);
  });
}
