/**
 * What was decided once and for all: transactions, dead letters, and acknowledgements of messages that are there.
 *
 * @module
 */
import type { Evidence, Lane } from "./evidence.ts";
import type { AckRecord, DeadLetterRecord, TransactionRecord } from "./history.ts";

/** All or nothing: of a transaction without an answer, either all messages are in the log or none is. */
export function checkTransactions(evidence: Evidence): string[] {
  return evidence.history.transactions.flatMap((transaction) => {
    const { outcome, pushes, call } = transaction;
    const present = presentOf(evidence, transaction);
    if (outcome === "rolled back" && present > 0)
      return [`transaction ${call} was refused, ${present} of its messages are in the log`];
    if (present === 0 && outcome !== "committed") return [];
    return present < pushes.length
      ? [`half a transaction: ${present} of ${pushes.length} messages of ${call} are in the log`]
      : [];
  });
}

function presentOf(evidence: Evidence, { pushes }: TransactionRecord): number {
  return pushes.filter(({ partition, transactionId }) => evidence.offsetOf(partition, transactionId) >= 0).length;
}

/**
 * What became of the acknowledgements of transactions without an answer: their messages tell, since they go together.
 *
 * @returns The acknowledgements, with the outcomes that follow.
 */
export function withOutcomes(evidence: Evidence, acks: readonly AckRecord[]): AckRecord[] {
  const unknown = evidence.history.transactions.filter(({ outcome }) => outcome === "unknown");
  const committed = new Map(unknown.map((transaction) => [transaction.call, presentOf(evidence, transaction) > 0]));
  return acks.map((ack) => {
    const applied = committed.get(ack.call);
    if (applied === undefined || ack.outcome !== "unknown") return ack;
    return applied
      ? { ...ack, outcome: "recorded" as const, dlq: ack.status !== "completed" }
      : { ...ack, outcome: "missing" as const };
  });
}

/** A message that is there is known to an acknowledgement. One of a transaction may stand for a lease that was refused. */
export function checkKnown({ history }: Evidence, lane: Lane): string[] {
  const removed = new Set(
    history.resets.flatMap(({ effect, transactionId }) => (effect === "remove" ? [transactionId] : [])),
  );
  return lane.acks.flatMap(({ ack, offset }) => {
    if (ack.outcome !== "missing" || ack.final || removed.has(ack.transactionId)) return [];
    return [`${lane.group} on ${lane.partition}: offset ${offset} was called unknown at ${Math.round(ack.end)}`];
  });
}

/** Dead letters at the end are those that used up their attempts, or were put there, each once. */
export function checkDeadLetters(evidence: Evidence, lane: Lane): string[] {
  const { deadLetters, retryLimit } = evidence.history;
  const violations: string[] = [];
  const mine = (deadLetters ?? []).filter(
    ({ group, partition }) => group === lane.group && partition === lane.partition,
  );
  const listed = new Map<number, DeadLetterRecord>();
  for (const letter of mine) {
    const offset = evidence.offsetOf(letter.partition, letter.transactionId);
    if (listed.has(offset)) violations.push(`${where(lane, offset)} is two dead letters`);
    listed.set(offset, letter);
  }
  const byOffset = Map.groupBy(lane.acks, ({ offset }) => offset);
  for (const offset of listed.keys()) {
    const able = (byOffset.get(offset) ?? []).some(({ ack }) => mayBury(ack));
    if (!able) violations.push(`${where(lane, offset)} is a dead letter and was never given up`);
  }
  for (const [offset, acks] of byOffset) {
    const buried = acks.find(({ ack }) => ack.dlq && ack.outcome === "recorded");
    if (buried === undefined || movedSince(evidence, lane, offset, buried.ack.start)) continue;
    if (deadLetters !== null && !listed.has(offset))
      violations.push(`${where(lane, offset)} was dead-lettered and is not listed`);
    if (buried.ack.status !== "failed" || buried.ack.final || movedSince(evidence, lane, offset, 0)) continue;
    const failures = acks.filter(({ ack }) => ack.status === "failed" && isHeard(ack) && ack.start <= buried.ack.end);
    if (failures.length > retryLimit) continue;
    violations.push(`${where(lane, offset)} was dead-lettered after ${failures.length} failures, limit ${retryLimit}`);
  }
  return violations;
}

const where = (lane: Lane, offset: number) => `${lane.group} on ${lane.partition}: offset ${offset}`;
const isHeard = ({ outcome }: AckRecord) => outcome === "recorded" || outcome === "unknown";

/** Whether an acknowledgement may have made a dead letter. */
function mayBury(ack: AckRecord): boolean {
  if (ack.outcome === "unknown") return ack.status !== "completed" && ack.status !== "retry";
  return ack.outcome === "recorded" && ack.dlq;
}

function movedSince(evidence: Evidence, lane: Lane, offset: number, since: number): boolean {
  const { transactionId } = evidence.log(lane.partition)[offset]!;
  return lane.moved(transactionId, since);
}
