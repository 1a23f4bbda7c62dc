/**
 * Redriving and deleting dead letters, one after another, with progress, through the same calls that do it for one.
 *
 * @module
 */
import { ApiError, call, part, query } from "./api.ts";
import type { DeadLetter } from "./shapes.ts";

/** Which dead letters are meant. */
export interface DeadLetterFilter {
  queue: string;
  consumerGroup: string;
  error: string;
}

/** How far the work is. */
export interface Progress {
  total: number;
  done: number;
  failed: number;
  /** The latest reason something failed; null when nothing did. */
  reason: string | null;
}

/** A page of a listing. */
export interface DeadLetterPage {
  messages: DeadLetter[];
  total: number;
}

/** What is done with each. */
export type Deed = "retry" | "delete";

const AT_ONCE = 6;
const PAGE = 200;

/** The address of a page of dead letters. */
export function listing(filter: DeadLetterFilter, page: { limit: number; offset: number; to?: string }): string {
  return `/api/v1/dlq${query({ ...filter, ...page })}`;
}

async function carryOut(deed: Deed, { partitionId, transactionId }: DeadLetter): Promise<void> {
  const path = `/api/v1/messages/${part(partitionId)}/${part(transactionId)}`;
  if (deed === "retry") await call(`${path}/retry`, { method: "POST" });
  else await call(path, { method: "DELETE" });
}

/**
 * Does it with each of some dead letters, a few at a time.
 *
 * @param onStep - Called after each.
 * @param signal - Aborted, no more are begun.
 */
export async function workThrough(
  deed: Deed,
  letters: readonly DeadLetter[],
  onStep: (failure: string | null) => void,
  signal: AbortSignal,
): Promise<void> {
  // A message that is a dead letter of several groups is dealt with once: retrying and deleting concern all of them.
  const left = [
    ...new Map(letters.map((letter) => [`${letter.partitionId}/${letter.transactionId}`, letter])).values(),
  ];
  const next = async (): Promise<void> => {
    for (let letter = left.shift(); letter !== undefined && !signal.aborted; letter = left.shift()) {
      const failure = await carryOut(deed, letter).then(
        () => null,
        (error: unknown) => (error instanceof ApiError ? error.message : String(error)),
      );
      onStep(failure);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/**
 * Does it with all that match a filter and had failed by now; what fails anew meanwhile is left alone.
 *
 * @param onProgress - Called after each.
 */
export async function workThroughAll(
  deed: Deed,
  filter: DeadLetterFilter,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Progress> {
  const to = new Date().toISOString();
  const progress: Progress = { total: 0, done: 0, failed: 0, reason: null };
  const step = (failure: string | null) => {
    if (failure === null) progress.done += 1;
    else {
      progress.failed += 1;
      progress.reason = failure;
    }
    onProgress({ ...progress });
  };
  while (!signal.aborted) {
    // What could not be done stays in the list, before what is still to be done or among it.
    const page = await call<DeadLetterPage>(listing(filter, { limit: PAGE, offset: progress.failed, to }), { signal });
    if (page.messages.length === 0) break;
    progress.total = Math.max(progress.total, progress.done + page.total);
    const before = progress.done + progress.failed;
    await workThrough(deed, page.messages, step, signal);
    if (progress.done + progress.failed === before) break;
  }
  return progress;
}

/** Reads all that match, at most `max`, newest first. */
export async function readAll(filter: DeadLetterFilter, max: number): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  while (letters.length < max) {
    const page = await call<DeadLetterPage>(listing(filter, { limit: PAGE, offset: letters.length }));
    letters.push(...page.messages);
    if (page.messages.length < PAGE) break;
  }
  return letters.slice(0, max);
}
