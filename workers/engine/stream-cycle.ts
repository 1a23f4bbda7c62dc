/**
 * One cycle of a streaming query: state changes, pushes to the sink and the acknowledgement of the source, together or not
 * at all, and once.
 *
 * The row of the query's last cycle on the partition makes cycles follow one another. It holds the id of the cycle, so that
 * an attempt whose connection was lost at its commit finds out when it is made again. Where the cycle names a lease, its id
 * comes from the request itself, and a client that sends it again is recognised as well.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { QueenError } from "../../schema/wire/errors.ts";
import { readUuid } from "../../schema/wire/ids.ts";
import { pushResultValue } from "../../schema/wire/push-answer.ts";
import type { StreamCycleRequest } from "../../schema/wire/stream-requests.ts";
import { isAway, withConflictRetry } from "../storage/failures.ts";
import { streamAcknowledge, streamCycleBegin } from "../storage/streams.ts";
import type { Acker } from "./ack.ts";
import type { KnownPartition } from "./catalog.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";
import { announce, noteAppended, type Pusher, prepare } from "./push.ts";
import { collectResults, makeUnits, type PushUnit, settleRepeats } from "./push-unit.ts";
import { appendInTransaction, type InTransaction, Refusal, Surprise } from "./stream-append.ts";
import { findSource, type Source } from "./stream-source.ts";

/** How often a cycle meets changed options or a vanished queue before it fails. */
const SURPRISES_MAX = 5;
/** How long a cycle waits for a database that went away. */
const AWAY_MS_MAX = 5_000;
const FAILURE_TEXT = "Streaming cycle reported failure";
const UNKNOWN_OUTCOME = "Database is unavailable: whether this cycle was committed is not known";

/** A cycle about to be committed. */
interface Work {
  request: StreamCycleRequest;
  partition: KnownPartition;
  source: Source | null;
  units: PushUnit[];
  cycleId: string;
}

/** What was done in the transaction. */
interface Done {
  appended: InTransaction;
  /** Whether the lease is free now; null without an acknowledgement. */
  released: boolean | null;
  /** The cycle had been committed: before this attempt, or even before this request came. */
  repeated: "no" | "attempt" | "request";
}

/**
 * The id of a cycle that may be sent again: the same for the same body, and for no other.
 *
 * @returns UUID text.
 */
export function cycleDigest(body: string | ArrayBuffer): string {
  const hash = createHash("sha256").update(typeof body === "string" ? body : Buffer.from(body));
  return readUuid(hash.digest(), 0);
}

/**
 * Carries out a cycle.
 *
 * @param how - `cycleId`: a UUID, the same one for a repetition. `cbor`: payloads came as CBOR.
 * @returns 200 also when it fails, with `success: false`, an `error`, and nothing applied.
 * @throws {@link QueenError} `DATABASE_UNAVAILABLE`: the outcome may be unknown, and repeating is safe.
 */
export async function streamCycle(
  context: EngineContext,
  verbs: { pusher: Pusher; acker: Acker },
  request: StreamCycleRequest,
  how: { cycleId: string; cbor: boolean },
): Promise<Answer> {
  const { queryId: query_id, partitionId: partition_id } = request;
  let queueName: string | null = null;
  let begun = false;
  try {
    if (request.refusal !== null) throw new Refusal(request.refusal);
    const { partition, source } = await findSource(context, verbs.acker, request);
    queueName = partition.queue.name;
    const units = makeUnits(request.pushItems, how.cbor, null);
    const work = { request, partition, source, units, cycleId: how.cycleId };
    begun = true;
    const done = await commitSurely(context, work);
    if (done.repeated !== "request") publish(context, verbs.pusher, work, done);
    const { ack, pushItems } = request;
    return ok({
      success: true,
      query_id,
      partition_id,
      queueName,
      state_ops_applied: request.stateOpCount,
      push_results:
        done.repeated === "request"
          ? repeatedResults(request)
          : collectResults(units, pushItems.length).map(pushResultValue),
      ack_result: ack && { success: true, count: ack.count, lease_released: done.released, dlq: ack.failed },
    });
  } catch (error) {
    const text = failureText(error, !begun || isRepeatable(request));
    if (text === null) {
      throw isAway(error) ? new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error }) : error;
    }
    const nothing = { state_ops_applied: 0, push_results: [], ack_result: null };
    return ok({ success: false, query_id, partition_id, queueName, error: text, ...nothing });
  }
}

/** What a cycle failed for, in words for the client; null for a failure of the server's own, after which it may repeat. */
function failureText(error: unknown, mayRepeat: boolean): string | null {
  if (error instanceof Refusal) return error.message;
  if (error instanceof Surprise) return "The options of a sink queue keep changing";
  const away = isAway(error) || (error instanceof QueenError && error.code === "DATABASE_UNAVAILABLE");
  if (away) return mayRepeat ? null : UNKNOWN_OUTCOME;
  if (error instanceof QueenError) return error.message;
  // Bad data, which repeating would not mend.
  return String((error as { code?: unknown })?.code ?? "").startsWith("22")
    ? "The cycle holds text that cannot be stored"
    : null;
}

/** Whether sending the cycle again is harmless even if it was committed. */
function isRepeatable({ ack, pushItems }: StreamCycleRequest): boolean {
  return ack?.leaseId != null || pushItems.every((item) => item.transactionId !== null);
}

/** Commits, again and again while the database is away; what was committed after all is known by the cycle's id. */
async function commitSurely(context: EngineContext, work: Work): Promise<Done> {
  const deadline = Date.now() + AWAY_MS_MAX;
  const attempt = new Attempt(context, work);
  let surprises = 0;
  for (let pause = 50; ; ) {
    try {
      return await withConflictRetry(() => attempt.make());
    } catch (error) {
      if (error instanceof Surprise && surprises < SURPRISES_MAX) {
        surprises += 1;
        context.catalog.invalidate(work.units.map((unit) => unit.queue));
        continue;
      }
      const away = isAway(error) || (error instanceof QueenError && error.code === "DATABASE_UNAVAILABLE");
      if (!away || Date.now() + pause > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 500);
    }
  }
}

/** The attempts of one request to commit its cycle. */
class Attempt {
  readonly #context: EngineContext;
  readonly #work: Work;
  /** What the last attempt did before it asked for the commit. */
  #reached: Done | null = null;

  constructor(context: EngineContext, work: Work) {
    this.#context = context;
    this.#work = work;
  }

  /** One transaction. Throws {@link Refusal} and {@link Surprise}, and what the database throws. */
  async make(): Promise<Done> {
    const { request, partition, units, cycleId } = this.#work;
    await prepare(this.#context, units);
    const at = { queueId: partition.queue.id, partitionId: partition.id };
    return await this.#context.database.ack.begin(async (sql) => {
      const changes = { upserts: request.upserts, deletes: request.deletes };
      const outcome = await streamCycleBegin(sql, { ...at, queryId: request.queryId, cycleId, changes });
      if (outcome === "repeated") {
        if (this.#reached) return { ...this.#reached, repeated: "attempt" };
        return { appended: [], released: request.releaseLease, repeated: "request" };
      }
      if (outcome === "unknown") throw new Refusal(`Unknown query_id: ${request.queryId}`);
      const appended = await appendInTransaction(this.#context, sql, units);
      const released = await this.#acknowledge(sql, at);
      this.#reached = { appended, released, repeated: "no" };
      return this.#reached;
    });
  }

  async #acknowledge(
    sql: Parameters<typeof streamAcknowledge>[0],
    at: { queueId: number; partitionId: number },
  ): Promise<boolean | null> {
    const { request, source } = this.#work;
    const { ack, releaseLease: release } = request;
    if (!ack || !source) return null;
    const dead = ack.failed ? (ack.error ?? FAILURE_TEXT) : null;
    const { groupId, offset } = source;
    const said = await streamAcknowledge(sql, { ...at, groupId, leaseId: ack.leaseId, offset, release, dead });
    const noLease = said.outcome === "missing" && ack.leaseId !== null;
    if (said.outcome === "lease" || noLease) throw new Refusal("Invalid or expired lease");
    // Without a cursor the group has nothing to consume here, nor a lease.
    return said.released ?? true;
  }
}

/** The answer to a cycle sent again: what it pushed is there, under ids that nobody remembers. */
function repeatedResults(request: StreamCycleRequest): Record<string, unknown>[] {
  return request.pushItems.map(({ queue, transactionId }, index) => ({
    index,
    status: "duplicate",
    transaction_id: transactionId,
    message_id: null,
    queueName: queue,
  }));
}

/** Lets the rest of the server know what was committed. */
function publish(context: EngineContext, pusher: Pusher, work: Work, done: Done): void {
  for (const unit of work.units) settleRepeats(unit);
  // Where the answer to the commit was lost, what is remembered is left to those who read it.
  if (done.repeated === "no") {
    for (const { draft, row } of done.appended) noteAppended(context, pusher.recent, draft, row);
  }
  const { counters, events } = context;
  const { ack } = work.request;
  const queueIds = [work.partition.queue.id, ...done.appended.map(({ draft }) => draft.partition.queue.id)];
  counters.requested("transactions", queueIds);
  if (ack) {
    const failed = ack.failed ? ack.count : 0;
    counters.acknowledged(queueIds[0]!, ack.count - failed, failed, failed);
    if (events.listening && ack.failed) events.failed(ack.transactionId, ack.error);
    else if (events.listening) events.completed(ack.transactionId);
  }
  const touched = done.appended.map(({ draft }) => draft.partition);
  if (done.released) touched.push(work.partition);
  if (touched.length > 0) announce(context, touched);
}
