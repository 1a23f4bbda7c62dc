/**
 * Finding a page of messages, newest first, without counting all of them: segment by segment, in steps that are bounded in time and
 * memory, all of one snapshot.
 *
 * @module
 */

import type { Sql } from "../storage/database.ts";
import { type MessageFilter, type MessageRunRow, messageWalk, type SegmentKey } from "../storage/listing-messages.ts";
import { parseMultirange } from "../storage/literals.ts";

/** A message of the page, by number, and the segment it lies in. */
export interface ListedMessage {
  run: MessageRunRow;
  offset: number;
}

/** What was found. */
export interface Found {
  /** Newest first. */
  messages: ListedMessage[];
  /** Where the search was given up, since it had looked at too much; null when it went to the end of the window or of the page. */
  searchedTo: string | null;
}

/** What to find. ISO timestamps; creation in `[from, to)`. */
export interface Wanted {
  filter: MessageFilter;
  from: string;
  to: string;
  limit: number;
  offset: number;
}

const STEP_SEGMENTS_MIN = 200;
const STEP_SEGMENTS_MAX = 20_000;
/** Segments that one search looks at; with a status, each of them has to be judged. */
const SEARCH_SEGMENTS_MAX = 500_000;
const JUDGED_SEGMENTS_MAX = 100_000;
/** Where many queues are searched, the newest so many milliseconds are looked at first, then ever longer slices of the window. */
const SLICE_MS = 10_000;
const SLICE_GROWTH = 8;

/**
 * Finds a page of messages.
 *
 * @param sql - A transaction with one snapshot, or steps may miss or repeat what changes between them.
 */
export async function findPage(sql: Sql, wanted: Wanted): Promise<Found> {
  const { filter, limit } = wanted;
  const messages: ListedMessage[] = [];
  // These do not walk along the time of creation, queue by queue.
  const narrow = filter.queue !== null || filter.status === "dead_letter" || filter.status === "processing";
  const lookedMax = filter.status === null ? SEARCH_SEGMENTS_MAX : JUDGED_SEGMENTS_MAX;
  let skip = wanted.offset;
  let segmentsMax = Math.min(Math.max(limit + skip, STEP_SEGMENTS_MIN), STEP_SEGMENTS_MAX);
  let looked = 0;
  let sliceMs = SLICE_MS;
  let to = wanted.to;
  let from = narrow ? wanted.from : earlier(to, sliceMs, wanted.from);
  let after: SegmentKey | null = null;
  while (messages.length < limit) {
    const take = limit - messages.length;
    const step = await messageWalk(sql, filter, { from, to, after, segmentsMax, skip, take });
    for (const run of step.runs) takeRun(run, skip, limit, messages);
    skip = Math.max(0, skip - step.messages);
    looked += step.segments;
    if (messages.length >= limit) break;
    if (step.segments === segmentsMax) {
      after = step.last;
      if (looked >= lookedMax) return { messages, searchedTo: after!.created_at };
      segmentsMax = Math.min(segmentsMax * 4, STEP_SEGMENTS_MAX);
    } else {
      if (from <= wanted.from) break;
      to = from;
      after = null;
      sliceMs *= SLICE_GROWTH;
      from = earlier(to, sliceMs, wanted.from);
    }
  }
  return { messages, searchedTo: null };
}

/** So many milliseconds earlier, but not before `bound`; all as ISO timestamps. */
function earlier(instant: string, milliseconds: number, bound: string): string {
  const at = new Date(Date.parse(instant) - milliseconds);
  const text = Number.isNaN(at.getTime()) ? bound : at.toISOString();
  return Date.parse(text) <= Date.parse(bound) ? bound : text;
}

/** Appends what the page wants of a segment, the last offsets first. `skip` counts from the newest message of the step. */
function takeRun(run: MessageRunRow, skip: number, limit: number, messages: ListedMessage[]): void {
  const ranges = parseMultirange(run.matched);
  let passed = run.before;
  for (let index = ranges.length - 2; index >= 0; index -= 2) {
    const [first, end] = [ranges[index]!, ranges[index + 1]!];
    const over = Math.min(Math.max(skip - passed, 0), end - first);
    passed += end - first;
    for (let offset = end - 1 - over; offset >= first; offset -= 1) {
      if (messages.length >= limit) return;
      messages.push({ run, offset });
    }
  }
}
