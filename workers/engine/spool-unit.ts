/**
 * What of a push still has to be stored, as the spool takes it.
 *
 * @module
 */

import type { SpooledUnit } from "../spool/record.ts";
import { type PushUnit, repeatOutcome } from "./push-unit.ts";

/** Whether a message has no outcome, and none that follows from the message it repeats. */
function isOpen(unit: PushUnit, index: number): boolean {
  if (unit.outcomes[index] !== null) return false;
  const repeats = unit.repeats?.[index] ?? -1;
  return repeats < 0 || unit.outcomes[repeats] === null;
}

/** The messages of these units without an outcome. A unit that has none is left out. */
export function openPart(units: readonly PushUnit[]): SpooledUnit[] {
  const parts: SpooledUnit[] = [];
  for (const unit of units) {
    const open = unit.outcomes.flatMap((_, index) => (isOpen(unit, index) ? [index] : []));
    if (open.length === unit.outcomes.length) parts.push(unit);
    else if (open.length > 0) {
      parts.push({
        queue: unit.queue,
        partition: unit.partition,
        transactionIds: open.map((index) => unit.transactionIds[index]!),
        traceIds: open.map((index) => unit.traceIds[index]!),
        payloads: open.map((index) => unit.payloads[index]!),
      });
    }
  }
  return parts;
}

/** Gives every message that has no outcome the one of the message it repeats, or else says that it is buffered. */
export function markBuffered(units: readonly PushUnit[]): void {
  for (const unit of units) {
    for (let index = 0; index < unit.outcomes.length; index += 1) {
      if (unit.outcomes[index] !== null) continue;
      const earlier = unit.outcomes[unit.repeats?.[index] ?? -1];
      unit.outcomes[index] = earlier ? repeatOutcome(earlier) : { status: "buffered", partition: unit.partition };
    }
  }
}
