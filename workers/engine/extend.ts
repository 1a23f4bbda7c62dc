/**
 * Extend: a lease lasts longer.
 *
 * @module
 */

import type { DecodedBody } from "../../schema/wire/body.ts";
import { parseLeaseId } from "../../schema/wire/ids.ts";
import { readLeaseExtendRequest } from "../../schema/wire/lease-extend-request.ts";
import { leaseExpired, leaseExtend } from "../storage/cursors.ts";
import { withConflictRetry } from "../storage/failures.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { unlessStuck } from "./stuck.ts";

/**
 * Extends a lease on every partition it holds.
 *
 * @param body - `{"seconds": int}`, 60 when absent; an absent body and `[]` count as `{}`.
 * @returns One object (ruling 7): `expiresAt` and `newExpiresAt` are the earliest of the new deadlines.
 * @throws {@link QueenError} `FIELD_INVALID` naming `seconds`.
 */
export async function extend(context: EngineContext, leaseId: string, body: DecodedBody): Promise<Answer> {
  const seconds = readLeaseExtendRequest(body);
  const answer = (error: string | null, expiresAt: string | null): Answer =>
    ok({ index: 0, leaseId, success: error === null, error, expiresAt, newExpiresAt: expiresAt });
  const ref = parseLeaseId(leaseId);
  if (!ref) return answer("Lease not found", null);
  const held = { ...ref, leaseId: leaseId.toLowerCase() };
  const work = withConflictRetry(() => leaseExtend(context.database.ack, { ...held, seconds }));
  const rows = await unlessStuck(context, work);
  if (rows.length === 0) {
    const expired = await leaseExpired(context.database.ack, held);
    return answer(expired ? "Lease already expired" : "Lease not found", null);
  }
  const earliest = rows.map((row) => row.lease_expires_at).sort()[0]!;
  return answer(null, `${earliest.slice(0, 23)}Z`);
}
