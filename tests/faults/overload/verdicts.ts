/**
 * What an overload must not do, and its figures as text.
 *
 * @module
 */
import type { OverloadResult } from "./run.ts";

const HEALTH_MS_MAX = 5_000;

/** Bounds that are stated in docs/reliability.md. */
export interface Bounds {
  /** 99 of 100 accepted requests are answered within this. */
  acceptedP99Ms: number;
  /** The same for requests of the calm queue. */
  calmP99Ms: number;
  memoryMb: number;
  recoverySeconds: number;
}

/**
 * Checks a result.
 *
 * @returns A sentence for each thing that should not be; empty when all is well.
 */
export function problems(result: OverloadResult, bounds: Bounds): string[] {
  const { total, during, memoryMb, recoverySeconds } = result;
  const found: string[] = [];
  const claim = (holds: boolean, text: string) => holds || found.push(text);
  claim(total.accepted > 0, "nothing was accepted");
  claim(wasOverload(result), "everything was accepted: this was no overload");
  claim(total.withoutRetryAfter === 0, `${total.withoutRetryAfter} refusals without Retry-After`);
  claim(Object.keys(total.others).length === 0, `answers by status: ${JSON.stringify(total.others)}`);
  claim(
    total.acceptedP99Ms <= bounds.acceptedP99Ms,
    `accepted requests took ${total.acceptedP99Ms.toFixed(0)} ms (p99)`,
  );
  for (const { name, count, p99Ms, wrong } of during) {
    claim(count > 0, `no ${name} beside the overload was answered`);
    // Health says so when its question is not answered within 5 s, which is then what is asked of it.
    const isRight = Object.keys(wrong).length === 0 || (name === "health" && bounds.calmP99Ms > HEALTH_MS_MAX);
    claim(isRight, `${name} beside the overload: ${JSON.stringify(wrong)}`);
    claim(p99Ms <= bounds.calmP99Ms, `${name} beside the overload took ${p99Ms.toFixed(0)} ms (p99)`);
  }
  const [first = 0, second = 0, third = 0, fourth = 0] = memoryMb.quarters;
  claim(Math.max(first, second, third, fourth) <= bounds.memoryMb, `memory ${memoryMb.quarters.join(", ")} MB`);
  claim(recoverySeconds <= bounds.recoverySeconds, `recovery took ${recoverySeconds.toFixed(1)} s`);
  return found;
}

/** Whether more was offered than taken. A refused pop is answered empty, which cannot be told from an empty queue. */
export function wasOverload({ total, options }: OverloadResult): boolean {
  return total.unsent > 0 || total.refused > 0 || options.kind === "pop";
}

/** The figures, a line each. */
export function report(result: OverloadResult): string {
  const { options, capacity, total, before, during, memoryMb, recoverySeconds, offeredPerSecond } = result;
  const perSecond = (count: number) => `${Math.round(count / total.seconds).toLocaleString("en-US")}/s`;
  const ms = (value: number) => value.toFixed(value < 10 ? 1 : 0);
  const probes = before.map(({ name, p50Ms, p99Ms }) => {
    const other = during.find((probe) => probe.name === name);
    const then = other === undefined ? "none" : `${ms(other.p50Ms)} / ${ms(other.p99Ms)} / ${ms(other.maxMs)}`;
    return `  ${name}: p50 / p99 ${ms(p50Ms)} / ${ms(p99Ms)} ms before; p50 / p99 / max ${then} ms beside the overload`;
  });
  return [
    `${options.kind} of ${options.perRequest}, ${options.seconds} s, at most ${options.connections} in flight`,
    `  capacity ${Math.round(capacity.accepted / capacity.seconds).toLocaleString("en-US")}/s with 50 clients: p50 / p99 ${ms(capacity.acceptedP50Ms)} / ${ms(capacity.acceptedP99Ms)} ms`,
    `  offered ${Math.round(offeredPerSecond).toLocaleString("en-US")}/s: accepted ${perSecond(total.accepted)}, refused ${perSecond(total.refused)}, not sent ${perSecond(total.unsent)}`,
    `  accepted p50 / p99 / max ${ms(total.acceptedP50Ms)} / ${ms(total.acceptedP99Ms)} / ${ms(total.acceptedMaxMs)} ms; refused p50 / p99 ${ms(total.refusedP50Ms)} / ${ms(total.refusedP99Ms)} ms`,
    ...probes,
    `  memory ${memoryMb.before.toFixed(0)} MB before, at most ${memoryMb.quarters.map((mb) => mb.toFixed(0)).join(", ")} MB by quarters`,
    ...result.complaints.slice(0, 10).map((line) => `  the server wrote: ${line.slice(0, 300)}`),
    `  served as before ${recoverySeconds.toFixed(1)} s after the load ended`,
  ].join("\n");
}
