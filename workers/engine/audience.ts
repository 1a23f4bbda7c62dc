/**
 * Who watches events at which instance, and how events travel between instances.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { DashboardEvent, EventBatch } from "../protocol/events.ts";
import { emptyBatch } from "./events.ts";

/** Bytes of the events of one notification: NOTIFY takes 8,000 in all. */
const PART_BYTES_MAX = 7_000;
/** Notifications made of what was gathered: about 400 events. */
const PARTS_MAX = 10;

/** See the module comment. What other instances say expires. */
export class Audience {
  /** Whether somebody watches at this instance. */
  here = false;
  readonly #others = new Map<string, number>();
  readonly #changed: (elsewhere: boolean) => void;

  /** @param changed - Called when it changes whether somebody watches at another instance. */
  constructor(changed: (elsewhere: boolean) => void) {
    this.#changed = changed;
  }

  get elsewhere(): boolean {
    return this.#others.size > 0;
  }

  /** Another instance says whether somebody watches there. */
  note(from: string, listening: boolean): void {
    const before = this.elsewhere;
    if (listening) this.#others.set(from, Date.now());
    else this.#others.delete(from);
    if (before !== this.elsewhere) this.#changed(this.elsewhere);
  }

  /** Forgets whoever said nothing since. @param before - Milliseconds since 1970. */
  expire(before: number): void {
    const was = this.elsewhere;
    for (const [from, at] of this.#others) if (at < before) this.#others.delete(from);
    if (was !== this.elsewhere) this.#changed(this.elsewhere);
  }
}

/** Adds a batch to another. */
export function addBatch(to: EventBatch, batch: EventBatch): void {
  to.events.push(...batch.events);
  to.dropped += batch.dropped;
  to.created += batch.created;
  to.completed += batch.completed;
}

/** A batch as parts that fit a notification each; events beyond their number are counted as dropped. */
export function cutBatch(batch: EventBatch): EventBatch[] {
  let part: EventBatch = { ...batch, events: [] };
  const parts = [part];
  let bytes = 0;
  for (const event of batch.events) {
    const size = sizeOf(event);
    if (bytes + size > PART_BYTES_MAX && part.events.length > 0 && parts.length < PARTS_MAX) {
      part = emptyBatch();
      parts.push(part);
      bytes = 0;
    }
    if (bytes + size <= PART_BYTES_MAX) {
      part.events.push(event);
      bytes += size;
    } else part.dropped += 1;
  }
  return parts;
}

function sizeOf(event: DashboardEvent): number {
  return Buffer.byteLength(JSON.stringify(event)) + 1;
}
