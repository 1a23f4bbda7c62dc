/**
 * Trace events: what clients note about single messages.
 *
 * @module
 */

import { readTrace } from "../../schema/wire/admin-requests.ts";
import type { DecodedBody } from "../../schema/wire/body.ts";
import { newTransactionId, partitionUuid } from "../../schema/wire/ids.ts";
import { toMilliseconds } from "../../schema/wire/instant.ts";
import { RawJson } from "../../schema/wire/json-render.ts";
import type { MessageParams, OperationParams, PageParams } from "../protocol.ts";
import {
  type TraceRow,
  traceCountByName,
  traceInsert,
  traceListByName as traceListByNameStatement,
  traceList as traceListStatement,
  traceNameCount,
  traceNameList as traceNameListStatement,
} from "../storage/traces.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { locateMessage } from "./messages.ts";
import { readMessages } from "./read-messages.ts";

function traceValue(row: TraceRow): Record<string, unknown> {
  return {
    id: row.id,
    event_type: row.event_type,
    data: new RawJson(row.data),
    consumer_group: row.consumer_group,
    worker_id: row.worker_id,
    created_at: toMilliseconds(row.created_at),
    trace_names: row.names === "[]" ? null : new RawJson(row.names),
  };
}

/** Notes an event about a message; 201 with its id. */
export async function traceCreate(
  context: EngineContext,
  _params: Record<string, never>,
  body: DecodedBody,
): Promise<Answer> {
  const { data, consumerGroup, eventType, names, transactionId, partitionId } = readTrace(body);
  const located = await locateMessage(context, { partitionId, transactionId });
  const id = newTransactionId(Date.now());
  const kept =
    located !== null &&
    (await traceInsert(context.database.look, {
      ...located.ref,
      id,
      transactionId,
      consumerGroup,
      eventType,
      data,
      names,
      workerId: context.settings.instanceId,
    }));
  if (!kept) return ok({ success: false, error: "Message not found" });
  return { status: 201, value: { success: true, traceId: id } };
}

/** Answers the events of one message, oldest first; none for an unknown message. */
export async function traceList(context: EngineContext, params: MessageParams): Promise<Answer> {
  const located = await locateMessage(context, params);
  const rows = located ? await traceListStatement(context.database.look, located.ref) : [];
  return ok({ traces: rows.map(traceValue) });
}

/** Answers a page of the events that carry a name, oldest first, with the payloads of their messages. */
export async function traceListByName(
  context: EngineContext,
  params: OperationParams["traceListByName"],
): Promise<Answer> {
  const { name, limit, offset } = params;
  const sql = context.database.look;
  const rows = await traceListByNameStatement(sql, name, { limit, offset });
  const total = await traceCountByName(sql, name);
  const messages = await readMessages(
    context,
    sql,
    rows.map((row) => ({ queueId: row.queue_id, partitionId: row.partition_id, offset: row.message_offset })),
  );
  const traces = rows.map((row, index) => ({
    ...traceValue(row),
    transaction_id: row.transaction_id,
    partition_id: partitionUuid(row.queue_id, row.partition_id),
    queue_name: row.queue,
    partition_name: row.partition,
    message_payload: messages[index]?.payload ?? null,
  }));
  return ok({ traces, total, pagination: { limit, offset } });
}

/** Answers a page of the names that events carry, last seen first. */
export async function traceNameList(context: EngineContext, params: PageParams): Promise<Answer> {
  const sql = context.database.look;
  const { limit, offset } = params;
  const rows = await traceNameListStatement(sql, { limit, offset });
  return ok({
    trace_names: rows.map((row) => ({
      trace_name: row.name,
      trace_count: row.trace_count,
      message_count: row.message_count,
      last_seen: toMilliseconds(row.last_seen),
    })),
    total: await traceNameCount(sql),
    pagination: { limit, offset },
  });
}
