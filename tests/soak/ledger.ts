/**
 * Proves while it goes on that every message of a queue came to every group, in order, and never again once it was
 * answered for. Producers number the messages of a partition from 0 without a gap, so one number a partition and the few
 * messages under way are all that must be remembered.
 *
 * @module
 */

const VIOLATIONS_KEPT_MAX = 20;

/** Where one group stands on one partition. */
interface Track {
  /** Number of the first message it has not seen. */
  next: number;
  /** Seen and not resolved, with how often each was failed. */
  open: Map<number, number>;
}

/** What one group did. */
interface Group {
  tracks: Map<string, Track>;
  delivered: number;
  resolved: number;
}

/** The account of one queue. */
export class Ledger {
  readonly #queue: string;
  readonly #pushed = new Map<string, number>();
  readonly #groups: Map<string, Group>;
  /** The first twenty, in words. */
  readonly violations: string[] = [];
  violationCount = 0;
  pushedCount = 0;

  /**
   * Opens an account.
   *
   * @param queue - Named in violations.
   * @param groups - Groups that each must get everything.
   */
  constructor(queue: string, groups: readonly string[]) {
    this.#queue = queue;
    this.#groups = new Map(groups.map((name) => [name, { tracks: new Map(), delivered: 0, resolved: 0 }]));
  }

  /** Notes that messages of a partition were accepted, in the order of their numbers. */
  pushed(partition: string, messages: number): void {
    this.#pushed.set(partition, (this.#pushed.get(partition) ?? 0) + messages);
    this.pushedCount += messages;
  }

  /**
   * Notes a delivery.
   *
   * @returns How often the group failed the message before.
   */
  delivered(groupName: string, partition: string, number: number): number {
    const group = this.#group(groupName);
    const track = trackOf(group, partition);
    group.delivered += 1;
    const failures = track.open.get(number);
    if (number < track.next) {
      if (failures === undefined) this.violation(`${groupName} got ${partition}/${number} again after its answer`);
      return failures ?? 0;
    }
    if (number > track.next) {
      this.violation(`${groupName} got ${partition}/${number} where ${track.next} is next`);
    }
    track.open.set(number, 0);
    track.next = number + 1;
    return 0;
  }

  /** Notes that a message was completed, or given up. */
  resolved(groupName: string, partition: string, number: number): void {
    const group = this.#group(groupName);
    if (trackOf(group, partition).open.delete(number)) group.resolved += 1;
  }

  /** Notes that a message failed and is to come again. */
  failed(groupName: string, partition: string, number: number): void {
    const { open } = trackOf(this.#group(groupName), partition);
    open.set(number, (open.get(number) ?? 0) + 1);
  }

  /** Notes that something is wrong. */
  violation(text: string): void {
    this.violationCount += 1;
    if (this.violations.length < VIOLATIONS_KEPT_MAX) this.violations.push(`${this.#queue}: ${text}`);
  }

  /** Accepted messages that the slowest group has not resolved. */
  get backlog(): number {
    return this.pushedCount - Math.min(...[...this.#groups.values()].map(({ resolved }) => resolved));
  }

  /** Deliveries to all groups, repeats among them. */
  get deliveredCount(): number {
    return [...this.#groups.values()].reduce((sum, { delivered }) => sum + delivered, 0);
  }

  /** Messages resolved by all groups, each counted for each group. */
  get resolvedCount(): number {
    return [...this.#groups.values()].reduce((sum, { resolved }) => sum + resolved, 0);
  }

  /** Compares what was accepted with what came; to be called when nothing is under way any more. */
  close(): void {
    for (const [name, group] of this.#groups) {
      for (const [partition, pushed] of this.#pushed) {
        const { next, open } = trackOf(group, partition);
        if (next !== pushed) this.violation(`${name} saw ${next} of ${pushed} messages of ${partition}`);
        if (open.size > 0) this.violation(`${name} left ${open.size} messages of ${partition} without an answer`);
      }
    }
  }

  #group(name: string): Group {
    const group = this.#groups.get(name);
    if (group === undefined) throw new Error(`${this.#queue} has no group ${name}`);
    return group;
  }
}

function trackOf(group: Group, partition: string): Track {
  let track = group.tracks.get(partition);
  if (track === undefined) {
    track = { next: 0, open: new Map() };
    group.tracks.set(partition, track);
  }
  return track;
}
