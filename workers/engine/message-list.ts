/**
 * Lists of messages, newest first, with what became of each. Without their payloads.
 *
 * @module
 */

import { partitionUuid } from "../../schema/wire/ids.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import { QUEUE_MODE_GROUP } from "../../schema/wire/limits.ts";
import type { OperationParams } from "../protocol.ts";
import type { Sql } from "../storage/database.ts";
import {
  consumptionMode,
  deadLettersOf,
  type MessageFilter,
  type PartitionGroupRow,
  partitionGroups,
  planForParameters,
} from "../storage/listing-messages.ts";
import { parseMultirange } from "../storage/literals.ts";
import type { MessageRef } from "../storage/messages.ts";
import { databaseNow } from "../storage/queue-admin.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { findPage, type ListedMessage } from "./message-walk.ts";
import { readMessages } from "./read-messages.ts";

const MINUTE_MS = 60_000;
const WINDOW_MS = 60 * MINUTE_MS;
/** Unpacked bytes of segments read at a time; payloads are dropped before the next. */
const READ_BYTES_MAX = 32 * 1024 * 1024;

/** A message of a list. */
interface MessageElement {
  id: string;
  transactionId: string;
  partitionId: string;
  queuePath: string;
  queue: string;
  partition: string;
  namespace: string;
  task: string;
  status: string;
  queueStatus: string;
  busStatus: { consumedBy: number; totalGroups: number };
  traceId: string | null;
  producerSub: string | null;
  queuePriority: number;
  createdAt: string;
  leaseExpiresAt: string | null;
}

/** Answers a page of the messages that match. */
export async function messageList(context: EngineContext, params: OperationParams["messageList"]): Promise<Answer> {
  const { limit, offset, from, to, ...filter } = params;
  return await oneSnapshot(context, async (sql) => {
    const now = from === null || to === null ? Date.parse(await databaseNow(sql)) : 0;
    const window = {
      from: from ?? new Date(now - WINDOW_MS).toISOString(),
      // Up to the end of its minute.
      to: nextMinute(to === null ? now : Date.parse(to)),
    };
    const found = await findPage(sql, { filter, ...window, limit, offset });
    const messages = await describe(context, sql, found.messages, filter.status);
    const mode = await consumptionMode(sql, filter);
    return ok({
      messages,
      mode: {
        hasQueueMode: mode.has_queue_mode,
        busGroupsCount: mode.named_groups,
        type: modeType(mode.has_queue_mode, mode.named_groups),
      },
      ...(found.searchedTo !== null && { incomplete: true, searchedTo: found.searchedTo }),
    });
  });
}

/** Answers a page of the messages of one queue, as a bare array; empty for an unknown queue. */
export async function queueMessageList(
  context: EngineContext,
  params: OperationParams["queueMessageList"],
): Promise<Answer> {
  const { queue, limit, offset } = params;
  const filter: MessageFilter = { queue, partition: null, namespace: null, task: null, status: null };
  return await oneSnapshot(context, async (sql) => {
    const found = await findPage(sql, { filter, from: "-infinity", to: "infinity", limit, offset });
    const messages = await describe(context, sql, found.messages, null);
    return ok(
      messages.map((message) => ({
        id: message.id,
        transactionId: message.transactionId,
        partitionId: message.partitionId,
        queuePath: message.queuePath,
        queue: message.queue,
        partition: message.partition,
        status: message.status,
        createdAt: message.createdAt,
      })),
    );
  });
}

function oneSnapshot(context: EngineContext, look: (sql: Sql) => Promise<Answer>): Promise<Answer> {
  return context.database.look.begin("isolation level repeatable read, read only", async (sql) => {
    await planForParameters(sql);
    return await look(sql);
  }) as Promise<Answer>;
}

function nextMinute(milliseconds: number): string {
  return new Date((Math.floor(milliseconds / MINUTE_MS) + 1) * MINUTE_MS).toISOString();
}

function modeType(queueMode: boolean, named: number): string {
  if (named === 0) return queueMode ? "queue" : "none";
  return queueMode ? "hybrid" : "bus";
}

/** A group on one partition, ready to be asked about offsets. */
interface Standing {
  groupId: number;
  queueMode: boolean;
  nextOffset: number | null;
  /** Flat list of `[from, to)`. */
  resolved: number[];
  leaseExpiresAt: string | null;
}

function standingOf(row: PartitionGroupRow): Standing {
  return {
    groupId: row.group_id,
    queueMode: row.name === QUEUE_MODE_GROUP,
    nextOffset: row.next_offset,
    resolved: parseMultirange(row.resolved),
    leaseExpiresAt: row.lease_expires_at,
  };
}

function hasConsumed({ nextOffset, resolved }: Standing, offset: number): boolean {
  if (nextOffset === null || offset < nextOffset) return true;
  for (let index = 0; index < resolved.length; index += 2) {
    if (offset >= resolved[index]! && offset < resolved[index + 1]!) return true;
  }
  return false;
}

/** The status rules of the contract (12.1), for all groups together and for consumers without a group alone. */
function statusesOf(groups: readonly Standing[], offset: number, dead: ReadonlySet<number>) {
  const queueMode = groups.find((group) => group.queueMode);
  const named = groups.filter((group) => !group.queueMode);
  const consumedBy = named.filter((group) => hasConsumed(group, offset)).length;
  const byCursor = (group: Standing): string =>
    hasConsumed(group, offset) ? "completed" : group.leaseExpiresAt === null ? "pending" : "processing";
  const ofAll = named.length > 0 && consumedBy === named.length ? "completed" : "pending";
  const alone = queueMode ? byCursor(queueMode) : "pending";
  return {
    status: dead.size > 0 ? "dead_letter" : queueMode ? alone : ofAll,
    queueStatus: queueMode && dead.has(queueMode.groupId) ? "dead_letter" : alone,
    busStatus: { consumedBy, totalGroups: named.length },
    leaseExpiresAt: queueMode?.leaseExpiresAt ? toMilliseconds(queueMode.leaseExpiresAt) : null,
  };
}

/** The messages as the list shows them. One that was deleted since is left out. */
async function describe(
  context: EngineContext,
  sql: Sql,
  listed: readonly ListedMessage[],
  status: string | null,
): Promise<MessageElement[]> {
  if (listed.length === 0) return [];
  const refs = listed.map(refOf);
  const partitions = new Map(listed.map(({ run }) => [`${run.queue_id} ${run.partition_id}`, run]));
  const groups = Map.groupBy(
    await partitionGroups(sql, [...partitions.values()]),
    (row) => `${row.queue_id} ${row.partition_id}`,
  );
  const standings = new Map([...groups].map(([key, rows]) => [key, rows.map(standingOf)]));
  const dead = Map.groupBy(await deadLettersOf(sql, refs), (row) => row.ref);
  const elements: MessageElement[] = [];
  for (const [start, end] of chunks(listed)) {
    const stored = await readMessages(context, sql, refs.slice(start, end));
    for (let index = start; index < end; index += 1) {
      const message = stored[index - start];
      if (!message) continue;
      const { run, offset } = listed[index]!;
      const found = statusesOf(
        standings.get(`${run.queue_id} ${run.partition_id}`) ?? [],
        offset,
        new Set((dead.get(index) ?? []).map((row) => row.group_id)),
      );
      elements.push({
        id: message.id,
        transactionId: message.transactionId,
        partitionId: partitionUuid(run.queue_id, run.partition_id),
        queuePath: `${run.queue}/${run.partition}`,
        queue: run.queue,
        partition: run.partition,
        namespace: run.namespace,
        task: run.task,
        ...found,
        // A lease may have run out since the page was found.
        ...(status !== null && { status }),
        traceId: message.traceId,
        producerSub: message.producerSub,
        queuePriority: run.priority,
        createdAt: toMilliseconds(message.createdAt),
      });
    }
  }
  return elements;
}

function refOf({ run, offset }: ListedMessage): MessageRef {
  return { queueId: run.queue_id, partitionId: run.partition_id, offset };
}

/** Cuts the list where the segments read so far weigh enough, as `[start, end)`. */
function* chunks(listed: readonly ListedMessage[]): Generator<[number, number]> {
  let start = 0;
  let bytes = 0;
  for (let index = 0; index < listed.length; index += 1) {
    const { run } = listed[index]!;
    if (index > 0 && run === listed[index - 1]!.run) continue;
    if (bytes + run.raw_bytes > READ_BYTES_MAX && index > start) {
      yield [start, index];
      start = index;
      bytes = 0;
    }
    bytes += run.raw_bytes;
  }
  yield [start, listed.length];
}
