/**
 * Finding messages the way clients address them: by partition and transaction id.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { compareKeys, KeyKind, type PartitionRef, readUuid, writeTransactionKey } from "../../schema/wire/ids.ts";
import type { Sql } from "../storage/database.ts";
import { segmentKeysInRange, tombstoneFind, transactionKeyFind } from "../storage/segments.ts";
import type { EngineContext } from "./context.ts";

/** The transaction ids of one call, as keys: 16 bytes each, one after another, and which of them are time-ordered. */
interface WantedKeys {
  bytes: Buffer;
  timeOrdered: number[];
  other: number[];
}

function wantedKeys(transactionIds: readonly string[]): WantedKeys {
  const bytes = Buffer.alloc(transactionIds.length * 16);
  const wanted: WantedKeys = { bytes, timeOrdered: [], other: [] };
  for (let index = 0; index < transactionIds.length; index += 1) {
    const kind = writeTransactionKey(transactionIds[index]!, bytes, index * 16);
    (kind === KeyKind.timeOrdered ? wanted.timeOrdered : wanted.other).push(index);
  }
  return wanted;
}

/** Notes that the message at `offset` has the transaction id of `index`. */
type Found = (index: number, offset: number) => void;

async function findTimeOrdered(sql: Sql, at: PartitionRef, wanted: WantedKeys, found: Found): Promise<void> {
  const { bytes, timeOrdered } = wanted;
  // By the last four bytes of the key, which are random in every kind of version 7: cheaper than a text of the key.
  const byTail = new Map<number, number[]>();
  let min = timeOrdered[0]!;
  let max = min;
  for (const index of timeOrdered) {
    if (compareKeys(bytes, index * 16, bytes, min * 16) < 0) min = index;
    if (compareKeys(bytes, index * 16, bytes, max * 16) > 0) max = index;
    const tail = bytes.readUInt32LE(index * 16 + 12);
    const same = byTail.get(tail);
    if (same) same.push(index);
    else byTail.set(tail, [index]);
  }
  const segments = await segmentKeysInRange(sql, at, readUuid(bytes, min * 16), readUuid(bytes, max * 16));
  for (const segment of segments) {
    const keys = segment.tx_keys;
    for (let position = 0; position < segment.message_count; position += 1) {
      const candidates = byTail.get(keys.readUInt32LE(position * 16 + 12));
      if (!candidates) continue;
      for (const index of candidates) {
        if (compareKeys(keys, position * 16, bytes, index * 16) === 0) found(index, segment.first_offset + position);
      }
    }
  }
}

async function findOther(sql: Sql, at: PartitionRef, wanted: WantedKeys, found: Found): Promise<void> {
  const byKey = new Map<string, number[]>();
  for (const index of wanted.other) {
    const key = readUuid(wanted.bytes, index * 16);
    const same = byKey.get(key);
    if (same) same.push(index);
    else byKey.set(key, [index]);
  }
  for (const row of await transactionKeyFind(sql, at, [...byKey.keys()])) {
    for (const index of byKey.get(row.key)!) found(index, row.message_offset);
  }
}

/**
 * The offsets of the messages of one partition that have these transaction ids.
 *
 * @remarks
 * Costs at most three statements for any number of ids. Reads the keys of every segment between the smallest and the
 * largest time-ordered id, 16 bytes a message.
 *
 * @param sql - Lane, or transaction to take part in.
 * @returns Parallel to `transactionIds`; null where no such message is kept (never was, deleted, expired), and everywhere
 * when the partition or its queue is gone.
 */
export async function locateMessages(
  context: EngineContext,
  sql: Sql,
  at: PartitionRef,
  transactionIds: readonly string[],
): Promise<(number | null)[]> {
  const offsets: (number | null)[] = new Array(transactionIds.length).fill(null);
  if (transactionIds.length === 0 || !(await context.catalog.partitionById(at.queueId, at.partitionId))) return offsets;
  const wanted = wantedKeys(transactionIds);
  const candidates: { index: number; offset: number }[] = [];
  const found: Found = (index, offset) => candidates.push({ index, offset });
  if (wanted.timeOrdered.length > 0) await findTimeOrdered(sql, at, wanted, found);
  if (wanted.other.length > 0) await findOther(sql, at, wanted, found);
  if (candidates.length === 0) return offsets;

  // A deleted message keeps its key in the segment; the id may have been used again after it.
  const deleted = await tombstoneFind(
    sql,
    at,
    candidates.map((candidate) => candidate.offset),
  );
  const gone = new Set(deleted.map((row) => row.message_offset));
  for (const { index, offset } of candidates) if (!gone.has(offset)) offsets[index] = offset;
  return offsets;
}
