/**
 * Streaming queries: registering them, and reading the state they keep.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import { parsePartitionUuid } from "../../schema/wire/ids.ts";
import { RawJson } from "../../schema/wire/json-render.ts";
import type { StreamQueryRequest, StreamStateRequest } from "../../schema/wire/stream-requests.ts";
import { isAway, withConflictRetry } from "../storage/failures.ts";
import { streamQueryRegister as register, streamStateRead } from "../storage/streams.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** Most states of one answer: more would not fit the memory of those who wait for it. */
const STATE_ROWS_MAX = 100_000;

/**
 * Registers a streaming query by name.
 *
 * @returns 200; 409 when it is registered with another hash and the request does not reset it. Nothing is changed then.
 * @throws {@link QueenError} `DATABASE_UNAVAILABLE`; repeating is safe.
 */
export async function streamQueryRegister(context: EngineContext, request: StreamQueryRequest): Promise<Answer> {
  const { name, configHash } = request;
  const row = await surely(() => register(context.database.look, request));
  if (row.conflict) {
    const error = `config_hash mismatch: operator chain changed for queryId '${name}'. Pass reset:true to wipe existing state, or use a new queryId.`;
    return { status: 409, value: { success: false, query_id: row.id, name, error } };
  }
  const { id, fresh, reset } = row;
  return ok({ success: true, query_id: id, name, config_hash: configHash, fresh, reset });
}

/**
 * Reads the state of a query on a partition, by key.
 *
 * @returns 200; 400 with `success: false` when more match than one answer holds. Unknown queries and partitions have none.
 * @throws {@link QueenError} `DATABASE_UNAVAILABLE`.
 */
export async function streamStateGet(context: EngineContext, request: StreamStateRequest): Promise<Answer> {
  const ref = parsePartitionUuid(request.partitionId);
  if (!ref) return ok({ success: true, rows: [] });
  const { queryId, keys, keyPrefix: prefix, ripeAtOrBefore } = request;
  const rows = await surely(() =>
    streamStateRead(context.database.pop, { ...ref, queryId }, { keys, prefix, ripeAtOrBefore }, STATE_ROWS_MAX + 1),
  );
  if (rows.length > STATE_ROWS_MAX) {
    const error = `More than ${STATE_ROWS_MAX} states match: ask for fewer by keys, key_prefix or ripe_at_or_before`;
    return { status: 400, value: { success: false, error, rows: [] } };
  }
  return ok({
    success: true,
    rows: rows.map(({ key, value, updated_at }) => ({
      key,
      value: new RawJson(value),
      // As PostgreSQL writes it, unlike every other time of the interface.
      updated_at: updated_at.replace("Z", "+00:00"),
    })),
  });
}

async function surely<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await withConflictRetry(statement);
  } catch (error) {
    if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
    throw error;
  }
}
