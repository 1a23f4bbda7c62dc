/**
 * Checks what a load saw: every message once, in order, none missing. Producers number their messages from 0 without a
 * gap, and have one request under way at a time, so in each partition the numbers of one producer must come back ascending.
 *
 * @module
 */

import type { CheckFigures } from "./protocol.ts";

/** A message as a pop answers it, as far as the checks look. */
interface PoppedMessage {
  partition: string;
  data: { seq: string; producer: string };
}

const VIOLATIONS_MAX = 20;

/** Collects pushes and deliveries of one load process. */
export class Checker {
  readonly #pushed = new Map<string, number>();
  readonly #seen = new Map<string, Map<string, Set<number>>>();
  readonly #last = new Map<string, number>();
  readonly #violations: string[] = [];

  /**
   * Checks the answer to a push: one result per item, all of them queued.
   *
   * @param producer - Producer of all items.
   * @param messages - Items sent.
   * @param body - Body of the answer.
   */
  pushed(producer: string, messages: number, body: Buffer): void {
    const results = JSON.parse(body.toString()) as { status: string; error?: string }[];
    if (results.length !== messages) this.violation(`${results.length} results for ${messages} pushed items`);
    const odd = results.find((result) => result.status !== "queued");
    if (odd !== undefined) this.violation(`a push was answered ${odd.status} ${odd.error ?? ""}`);
    this.#pushed.set(
      producer,
      (this.#pushed.get(producer) ?? 0) + results.filter((result) => result.status === "queued").length,
    );
  }

  /**
   * Checks the messages of a pop.
   *
   * @param group - Group that popped.
   * @param body - Body of the answer.
   * @param ordered - Whether answers of this group come one after another for a partition: true while leases are held
   *   until the acknowledgement is answered. Otherwise order is only checked inside the answer.
   * @returns Number of messages.
   */
  popped(group: string, body: Buffer, ordered: boolean): number {
    const { messages } = JSON.parse(body.toString()) as { messages: PoppedMessage[] };
    const here = new Map<string, number>();
    for (const { data, partition } of messages) {
      const number = Number(data.seq);
      const producers = entry(this.#seen, group, () => new Map<string, Set<number>>());
      const seen = entry(producers, data.producer, () => new Set<number>());
      if (seen.has(number)) this.violation(`${group} got message ${number} of ${data.producer} twice`);
      seen.add(number);
      const key = `${group}\n${partition}\n${data.producer}`;
      const before = (ordered ? this.#last : here).get(key) ?? -1;
      if (number <= before)
        this.violation(`${group} got ${number} after ${before} of ${data.producer} in ${partition}`);
      (ordered ? this.#last : here).set(key, number);
    }
    return messages.length;
  }

  /**
   * Checks the answer to an acknowledgement: every item succeeded.
   *
   * @param messages - Items sent.
   * @param body - Body of the answer.
   */
  acknowledged(messages: number, body: Buffer): void {
    const results = JSON.parse(body.toString()) as { success: boolean; error: string | null }[];
    if (results.length !== messages) this.violation(`${results.length} results for ${messages} acknowledgements`);
    const odd = results.find((result) => !result.success);
    if (odd !== undefined) this.violation(`an acknowledgement was refused: ${odd.error}`);
  }

  /**
   * Notes that something was wrong.
   *
   * @param text - What; the first twenty are kept.
   */
  violation(text: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(text);
  }

  /** What was seen, to be compared with what other processes saw. */
  figures(): CheckFigures {
    const popped: CheckFigures["popped"] = {};
    for (const [group, producers] of this.#seen) {
      popped[group] = Object.fromEntries([...producers].map(([producer, seen]) => [producer, seen.size]));
    }
    return { pushed: Object.fromEntries(this.#pushed), popped, violations: this.#violations };
  }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
