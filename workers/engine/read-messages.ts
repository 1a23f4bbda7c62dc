/**
 * Reading single messages, wherever they lie, with their payloads.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { decodeCbor } from "../../schema/wire/cbor.ts";
import { messageId } from "../../schema/wire/ids.ts";
import { eachMember, skipValue } from "../../schema/wire/json.ts";
import { RawJson } from "../../schema/wire/json-render.ts";
import { FORMAT_ENCRYPTED, MESSAGE_END, sliceCborBody, sliceJsonBody } from "../../schema/wire/segment.ts";
import type { Sql } from "../storage/database.ts";
import { isAway, isConflict } from "../storage/failures.ts";
import { type MessageRef, type MessageSegmentRow, messageSegments } from "../storage/messages.ts";
import type { EngineContext } from "./context.ts";
import { readSegments } from "./read.ts";
import type { Segment } from "./segment.ts";

/** A message as it is stored. */
export interface StoredMessage {
  id: string;
  transactionId: string;
  traceId: string | null;
  producerSub: string | null;
  /** {@link RawJson}, or a decoded value when it came as CBOR; null when it cannot be read (its key is missing). */
  payload: unknown;
  /** ISO 8601 with microseconds. */
  createdAt: string;
  encrypted: boolean;
}

type Fields = Pick<StoredMessage, "transactionId" | "traceId" | "producerSub" | "payload">;

/** Unpacked bytes read at a time: bounds the memory of a listing whatever its segments weigh. */
const READ_BYTES_MAX = 32 * 1024 * 1024;

function jsonFields(segment: Segment, index: number): Fields {
  const bytes = sliceJsonBody(segment.body, segment.messageCount, index, index + 1);
  const text = `${bytes.toString("utf8").replace(MESSAGE_END, "")}}`;
  const fields: Record<string, string> = {};
  eachMember(text, 0, (key, start) => {
    const end = skipValue(text, start);
    fields[key] = text.slice(start, end);
    return end;
  });
  return {
    transactionId: JSON.parse(fields.transactionId!) as string,
    traceId: JSON.parse(fields.traceId!) as string | null,
    producerSub: JSON.parse(fields.producerSub!) as string | null,
    payload: new RawJson(fields.data!),
  };
}

// A map of unknown length: the parts of a message are stored without the head of their map.
const CBOR_MAP_OPEN = Buffer.from([0xbf]);
const CBOR_MAP_CLOSE = Buffer.from([0xff]);

function cborFields(segment: Segment, index: number): Fields {
  const [part] = sliceCborBody(segment.body, segment.messageCount, index, index + 1);
  const fields = decodeCbor(Buffer.concat([CBOR_MAP_OPEN, part!, CBOR_MAP_CLOSE])) as Record<string, unknown>;
  return {
    transactionId: fields.transactionId as string,
    traceId: (fields.traceId ?? null) as string | null,
    producerSub: (fields.producerSub ?? null) as string | null,
    payload: fields.data ?? null,
  };
}

/** The messages wanted out of one segment. */
interface Group {
  queueId: number;
  partitionId: number;
  row: MessageSegmentRow;
  /** Position in the answer and index within the segment. */
  wanted: { at: number; index: number }[];
}

function groupBySegment(refs: readonly MessageRef[], rows: readonly MessageSegmentRow[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const ref = refs[row.ref]!;
    const key = `${ref.queueId} ${ref.partitionId} ${row.first_offset}`;
    let group = groups.get(key);
    if (!group) {
      group = { queueId: ref.queueId, partitionId: ref.partitionId, row, wanted: [] };
      groups.set(key, group);
    }
    group.wanted.push({ at: row.ref, index: ref.offset - row.first_offset });
  }
  return [...groups.values()].sort((a, b) => a.queueId - b.queueId);
}

/** Cuts the groups into runs of one queue that stay below {@link READ_BYTES_MAX}; a larger segment is read alone. */
function* batches(groups: readonly Group[]): Generator<Group[]> {
  let batch: Group[] = [];
  let bytes = 0;
  for (const group of groups) {
    if (batch.length > 0 && (batch[0]!.queueId !== group.queueId || bytes + group.row.raw_bytes > READ_BYTES_MAX)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(group);
    bytes += group.row.raw_bytes;
  }
  if (batch.length > 0) yield batch;
}

async function readGroups(context: EngineContext, sql: Sql, groups: Group[]): Promise<(Segment | null)[]> {
  const ranges = groups.map(({ partitionId, row }) => ({
    partitionId,
    from: row.first_offset,
    to: row.first_offset + row.message_count,
  }));
  try {
    const found = await readSegments(context, sql, groups[0]!.queueId, ranges);
    return found.map((segments) => segments[0] ?? null);
  } catch (error) {
    if (isAway(error) || isConflict(error)) throw error;
    // Without the key of one body, or with a damaged one, the others are still shown.
    if (groups.length > 1) {
      const each: (Segment | null)[] = [];
      for (const group of groups) each.push(...(await readGroups(context, sql, [group])));
      return each;
    }
    if (!(groups[0]!.row.format & FORMAT_ENCRYPTED)) throw error;
    context.log("warn", "message_unreadable", { queueId: groups[0]!.queueId, reason: String(error) });
    return [null];
  }
}

/**
 * Reads messages by number.
 *
 * @remarks Reads each segment once, in batches bounded by bytes.
 * @param sql - Lane to read with.
 * @returns Parallel to `refs`; null for what is no longer kept. An encrypted message whose key is missing comes with the
 * payload null and an empty transaction id.
 */
export async function readMessages(
  context: EngineContext,
  sql: Sql,
  refs: readonly MessageRef[],
): Promise<(StoredMessage | null)[]> {
  const messages: (StoredMessage | null)[] = new Array(refs.length).fill(null);
  if (refs.length === 0) return messages;
  const groups = groupBySegment(refs, await messageSegments(sql, refs));
  for (const batch of batches(groups)) {
    const segments = await readGroups(context, sql, batch);
    for (let position = 0; position < batch.length; position += 1) {
      const { row, wanted } = batch[position]!;
      const segment = segments[position];
      if (!segment && !(row.format & FORMAT_ENCRYPTED)) continue;
      for (const { at, index } of wanted) {
        messages[at] = {
          id: messageId(row.id_base, index),
          createdAt: row.created_at,
          encrypted: (row.format & FORMAT_ENCRYPTED) !== 0,
          ...(segment ? fieldsOf(segment, index) : UNREADABLE),
        };
      }
    }
  }
  return messages;
}

const UNREADABLE: Fields = { transactionId: "", traceId: null, producerSub: null, payload: null };

function fieldsOf(segment: Segment, index: number): Fields {
  return segment.cbor ? cborFields(segment, index) : jsonFields(segment, index);
}
