/**
 * The invariants, as questions to a history. Each check answers the violations it found, in words; none means that the
 * answers can be explained.
 *
 * @module
 */
import { type Delivery, Evidence, type Lane } from "./evidence.ts";
import type { AckRecord, History } from "./history.ts";
import { checkDeadLetters, checkKnown, checkTransactions } from "./outcomes.ts";

/** How far the clocks of database and test may seem apart, in milliseconds. */
const CLOCK_SLACK_MS = 30;

/** Exact deduplication: one message an id, everybody is told its id. Dense offsets in the order of the commits. */
function checkLog({
  history,
  log,
  offsetOf,
  pushOf,
}: Pick<Evidence, "history" | "log" | "offsetOf" | "pushOf">): string[] {
  const violations: string[] = [];
  const queued = new Map<string, number>();
  const attempted = new Set<string>();
  for (const { partition, transactionId, outcome, messageId } of history.pushes) {
    const key = `${partition} ${transactionId}`;
    attempted.add(key);
    const offset = offsetOf(partition, transactionId);
    if (outcome === "unknown") continue;
    if (outcome === "queued") queued.set(key, (queued.get(key) ?? 0) + 1);
    if (offset < 0) violations.push(`${key} was answered ${outcome} and is not in the log`);
    else if (outcome !== "buffered" && log(partition)[offset]!.messageId !== messageId)
      violations.push(
        `${key} was answered ${outcome} with ${messageId}, the log has ${log(partition)[offset]!.messageId}`,
      );
  }
  for (const [key, count] of queued) if (count > 1) violations.push(`${key} was queued ${count} times`);
  for (const [partition, entries] of history.log) {
    if (new Set(entries.map((entry) => entry.transactionId)).size < entries.length)
      violations.push(`${partition} holds an id twice`);
    let earliestLater = Number.POSITIVE_INFINITY;
    for (let offset = entries.length - 1; offset >= 0; offset -= 1) {
      const key = `${partition} ${entries[offset]!.transactionId}`;
      if (!attempted.has(key)) violations.push(`${key} was never pushed`);
      const push = pushOf(partition, offset);
      if (push?.outcome !== "queued") continue;
      if (earliestLater < push.start) violations.push(`${key} stands before a message that was answered earlier`);
      earliestLater = Math.min(earliestLater, push.end);
    }
  }
  return violations;
}

/** What is delivered was pushed, in order, nothing is skipped, and nothing comes back that was done with. */
function checkDeliveries(evidence: Evidence, lane: Lane): string[] {
  const violations: string[] = [];
  const log = evidence.log(lane.partition);
  for (const { pop, offsets } of lane.deliveries) {
    const where = `${lane.group} on ${lane.partition} at ${Math.round(pop.end)}`;
    const mine = pop.messages.filter((message) => message.partition === lane.partition);
    for (const [at, offset] of offsets.entries()) {
      const { transactionId, messageId } = mine[at]!;
      if (offset < 0 || log[offset]!.messageId !== messageId) {
        violations.push(`${where}: ${transactionId} with id ${messageId} is not in the log`);
      } else if (at > 0 && offset <= offsets[at - 1]!) violations.push(`${where}: out of order at offset ${offset}`);
      const { by } = lane.resolved(offset);
      if (by < pop.start && !lane.reopened(offset, 0, pop.end)) {
        violations.push(`${where}: offset ${offset} came again, done since ${Math.round(by)}`);
      }
    }
    const delivered = new Set(offsets);
    for (let offset = 0; offset < Math.max(...offsets); offset += 1) {
      if (delivered.has(offset) || lane.resolved(offset).from <= pop.end) continue;
      violations.push(`${where}: offset ${offset} was skipped before ${Math.max(...offsets)}`);
    }
  }
  return [...violations, ...checkAutoAcks(lane)];
}

function checkAutoAcks(lane: Lane): string[] {
  const seen = new Set<number>();
  const violations: string[] = [];
  for (const { pop, offsets } of lane.deliveries) {
    for (const offset of pop.autoAck ? offsets : []) {
      if (seen.has(offset) && !lane.reopened(offset, 0, Number.POSITIVE_INFINITY)) {
        violations.push(`${lane.group} on ${lane.partition}: offset ${offset} was consumed twice`);
      }
      seen.add(offset);
    }
  }
  return violations;
}

/** Whether an acknowledgement gives a lease back although messages are left. */
function gives(ack: AckRecord): boolean {
  if (ack.outcome === "refused" || ack.outcome === "missing") return false;
  if (ack.status === "retry" || (ack.final && ack.status !== "completed")) return true;
  return ack.status === "failed" && !ack.dlq;
}

/** The earliest instant at which a lease may have been over; `except`: a request whose own effects do not count. */
function overFrom(evidence: Evidence, lane: Lane, lease: Delivery, except = -1): number {
  const { history } = evidence;
  const { pop, offsets } = lease;
  let expiry = pop.start + history.leaseMs;
  for (const extension of history.extensions) {
    if (extension.leaseId === pop.leaseId && extension.outcome === "extended") {
      expiry = Math.max(expiry, extension.start + extension.ms);
    }
  }
  let over = expiry - CLOCK_SLACK_MS;
  const done = new Map(offsets.map((offset) => [offset, Number.POSITIVE_INFINITY]));
  for (const { ack, offset } of lane.acks) {
    if (ack.call === except || ack.end < pop.start || (ack.leaseId !== null && ack.leaseId !== pop.leaseId)) continue;
    if (gives(ack) && done.has(offset)) over = Math.min(over, ack.start);
  }
  for (const offset of offsets) {
    const own = lane.acks.some((entry) => entry.offset === offset && entry.ack.call === except);
    done.set(offset, own ? resolvedWithout(lane, offset, except) : lane.resolved(offset).from);
  }
  for (const reset of lane.resets) {
    if (reset.end >= pop.start && reset.effect !== "remove") over = Math.min(over, reset.start);
  }
  return Math.min(over, Math.max(...done.values()));
}

function resolvedWithout(lane: Lane, offset: number, call: number): number {
  let from = Number.POSITIVE_INFINITY;
  for (const { ack, offset: of } of lane.acks) {
    if (of === offset && ack.call !== call && ack.outcome !== "refused") from = Math.min(from, ack.start);
  }
  for (const reset of lane.resets) if (reset.effect !== "expire") from = Math.min(from, reset.start);
  return from;
}

/** One lease per partition and group: of two deliveries, one can have been over before the other began. */
function checkLeases(evidence: Evidence, lane: Lane): string[] {
  const violations: string[] = [];
  const leases = lane.deliveries
    .filter(({ pop }) => !pop.autoAck)
    .map((delivery) => ({ ...delivery, over: overFrom(evidence, lane, delivery) }));
  const follows = (a: (typeof leases)[0], b: (typeof leases)[0]) => a.pop.start <= b.pop.end && a.over <= b.pop.end;
  for (let at = 0; at < leases.length; at += 1) {
    for (let other = at + 1; other < leases.length; other += 1) {
      const [a, b] = [leases[at]!, leases[other]!];
      if (follows(a, b) || follows(b, a)) continue;
      violations.push(
        `${lane.group} on ${lane.partition}: leases ${a.pop.leaseId} and ${b.pop.leaseId} at ${Math.round(b.pop.end)} overlap`,
      );
    }
  }
  return violations;
}

/** Acknowledgements under a lease are taken while it lives, and only then. */
function checkAcks(evidence: Evidence, lane: Lane): string[] {
  const violations: string[] = [];
  const { history } = evidence;
  const byLease = new Map(lane.deliveries.map((delivery) => [delivery.pop.leaseId, delivery]));
  for (const { ack, offset } of lane.acks) {
    const lease = ack.leaseId === null ? undefined : byLease.get(ack.leaseId);
    if (!lease) continue;
    const what = `${lane.group} on ${lane.partition}: ${ack.status} of offset ${offset} at ${Math.round(ack.end)}`;
    if (ack.outcome === "refused" && ack.end < overFrom(evidence, lane, lease, ack.call)) {
      violations.push(`${what} was refused under a live lease`);
    }
    if (ack.outcome !== "recorded") continue;
    const extended =
      history.extensions.some((extension) => extension.leaseId === ack.leaseId) ||
      lane.resets.some(({ effect, start, end }) => effect === "expire" && start <= ack.end && end >= lease.pop.start);
    if (!extended && ack.start > lease.pop.end + history.leaseMs + CLOCK_SLACK_MS) {
      violations.push(`${what} was taken after the lease had expired`);
    }
    const next = lane.deliveries.find(({ pop }) => pop.start > lease.pop.end && pop.end < ack.start);
    if (next) violations.push(`${what} was taken although ${next.pop.leaseId || "an auto-ack pop"} had come after it`);
  }
  return violations;
}

/** A message that always fails is tried `retryLimit` + 1 times and then dead-lettered, once. */
function checkAttempts(evidence: Evidence, lane: Lane): string[] {
  const violations: string[] = [];
  const { retryLimit } = evidence.history;
  const byOffset = new Map<number, AckRecord[]>();
  for (const { ack, offset } of lane.acks) byOffset.set(offset, [...(byOffset.get(offset) ?? []), ack]);
  for (const [offset, acks] of byOffset) {
    const failures = acks.filter((ack) => ack.outcome === "recorded" && ack.status === "failed");
    const pure = acks.every(
      (ack) => ack.outcome === "refused" || (failures.includes(ack) && !ack.final && ack.leaseId),
    );
    const { transactionId } = evidence.log(lane.partition)[offset]!;
    const moved = lane.moved(transactionId, 0);
    if (!pure || moved) continue;
    const dead = failures.filter((ack) => ack.dlq);
    // Said again after the last attempt, it counts for nothing.
    const before = failures.filter((ack) => !ack.dlq && ack.end < (dead[0]?.start ?? Number.POSITIVE_INFINITY));
    if (before.length > retryLimit || dead.length > 1 || (dead.length === 1 && failures.length <= retryLimit)) {
      const where = `${lane.group} on ${lane.partition}: offset ${offset}`;
      violations.push(
        `${where} failed ${failures.length} times, dead-lettered ${dead.length} times, limit ${retryLimit}`,
      );
    }
  }
  return violations;
}

/** A pop that nothing stood in the way of finds what was answered `queued` before it began. */
function checkVisibility(evidence: Evidence): string[] {
  const violations: string[] = [];
  const { history } = evidence;
  for (const pop of history.pops) {
    if (pop.messages.length > 0 || pop.outcome === "unknown") continue;
    if (history.outages.some((outage) => outage.start <= pop.end && outage.end >= pop.start)) continue;
    const others = history.pops.filter(
      (other) => other !== pop && other.group === pop.group && other.start <= pop.end && other.end >= pop.start,
    );
    const acks = history.acks.filter((ack) => ack.group === pop.group && ack.start <= pop.end && ack.end >= pop.start);
    const resets = history.resets.filter((reset) => reset.start <= pop.end && reset.end >= pop.start);
    if (others.length + acks.length + resets.length > 0) continue;
    for (const partition of pop.partition === null ? history.log.keys() : [pop.partition]) {
      const lane = evidence.lane(pop.group, partition);
      const open = evidence.log(partition).findIndex((_, offset) => {
        const push = evidence.pushOf(partition, offset);
        return push?.outcome === "queued" && push.end < pop.start && lane.resolved(offset).from > pop.end;
      });
      if (open < 0 || mayBeLeased(evidence, lane, pop.start)) continue;
      violations.push(`${pop.group}: a pop of ${partition} at ${Math.round(pop.end)} did not see offset ${open}`);
    }
  }
  return violations;
}

/** Whether any lease may be alive at an instant; pops without an answer may have taken one. */
function mayBeLeased(evidence: Evidence, lane: Lane, at: number): boolean {
  const { history } = evidence;
  const held = (end: number) => end + history.leaseMs + CLOCK_SLACK_MS > at;
  const silent = history.pops.some(
    (pop) => pop.outcome === "unknown" && pop.group === lane.group && pop.start <= at && held(pop.end),
  );
  return (
    silent ||
    lane.deliveries.some(({ pop }) => !pop.autoAck && pop.start <= at && held(pop.end)) ||
    extendedSince(history, at)
  );
}

function extendedSince(history: History, at: number): boolean {
  return history.extensions.some(({ end, ms }) => end + ms + CLOCK_SLACK_MS > at);
}

/** After draining, somebody has said something final of every message, for every group. */
function checkNothingLost(evidence: Evidence, groups: readonly string[]): string[] {
  const violations: string[] = [];
  for (const [partition, log] of evidence.history.log) {
    for (const group of groups) {
      const lane = evidence.lane(group, partition);
      for (let offset = 0; offset < log.length; offset += 1) {
        if (lane.resolved(offset).from < Number.POSITIVE_INFINITY) continue;
        violations.push(`${group} never finished offset ${offset} of ${partition}`);
      }
    }
  }
  return violations;
}

/**
 * Checks a history.
 *
 * @param drained - Groups that consumed until nothing was left.
 * @returns Violations in words; empty when everything can be explained.
 */
export function checkHistory(history: History, drained: readonly string[]): string[] {
  const evidence = new Evidence(history);
  const log = checkLog({
    history,
    log: (partition) => evidence.log(partition),
    offsetOf: (partition, id) => evidence.offsetOf(partition, id),
    pushOf: (partition, offset) => evidence.pushOf(partition, offset),
  });
  const lost = checkNothingLost(evidence, drained);
  const visibility = checkVisibility(evidence);
  const lanes = [...evidence.lanes.values()].flatMap((lane) => [
    ...checkDeliveries(evidence, lane),
    ...checkLeases(evidence, lane),
    ...checkAcks(evidence, lane),
    ...checkAttempts(evidence, lane),
    ...checkKnown(evidence, lane),
    ...checkDeadLetters(evidence, lane),
  ]);
  return [...log, ...checkTransactions(evidence), ...lanes, ...visibility, ...lost];
}
