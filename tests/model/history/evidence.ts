/**
 * A history sorted by what it says of each group, partition and message.
 *
 * @module
 */
import type { AckRecord, History, PopRecord, PushRecord, ResetRecord } from "./history.ts";
import { withOutcomes } from "./outcomes.ts";

/** A pop's part of one partition. */
export interface Delivery {
  pop: PopRecord;
  /** As delivered; -1 for a message that is not in the log. */
  offsets: number[];
}

/** When something became so: possibly from `from` on, certainly by `by` (infinite: never for certain). */
export interface Since {
  from: number;
  by: number;
}

const NEVER: Since = { from: Number.POSITIVE_INFINITY, by: Number.POSITIVE_INFINITY };

/** What is known of one group on one partition. */
export class Lane {
  readonly group: string;
  readonly partition: string;
  readonly deliveries: Delivery[] = [];
  readonly acks: { ack: AckRecord; offset: number }[] = [];
  readonly resets: ResetRecord[];
  readonly #resolved: Since[] = [];
  readonly #evidence: Evidence;

  constructor(evidence: Evidence, group: string, partition: string) {
    this.#evidence = evidence;
    this.group = group;
    this.partition = partition;
    this.resets = evidence.history.resets.filter(
      (reset) =>
        (reset.group === null || reset.group === group) && (reset.partition === null || reset.partition === partition),
    );
  }

  /** Whether this says that its message needs no delivery any more: for certain, perhaps, or not. */
  static resolves(ack: AckRecord): "surely" | "maybe" | "no" {
    if (ack.outcome === "refused" || ack.outcome === "missing" || ack.status === "retry") return "no";
    if (ack.outcome === "unknown") return "maybe";
    return ack.status === "completed" || ack.dlq ? "surely" : "no";
  }

  /** When the message at an offset became resolved for the group. */
  resolved(offset: number): Since {
    return this.#resolved[offset] ?? NEVER;
  }

  /** Whether something may have reopened the message at an offset at some time between. */
  reopened(offset: number, from: number, to: number): boolean {
    const { transactionId } = this.#evidence.log(this.partition)[offset] ?? {};
    return this.resets.some(
      (reset) =>
        reset.effect === "back" &&
        (reset.transactionId === null || reset.transactionId === transactionId) &&
        reset.end >= from &&
        reset.start <= to,
    );
  }

  /** Whether something but acknowledgements may have changed the state of a message since. */
  moved(transactionId: string, since: number): boolean {
    return this.resets.some(
      ({ effect, end, transactionId: of }) =>
        effect !== "expire" && end >= since && (of === null || of === transactionId),
    );
  }

  #note(offset: number, from: number, by: number): void {
    const before = this.resolved(offset);
    this.#resolved[offset] = { from: Math.min(before.from, from), by: Math.min(before.by, by) };
  }

  /** Works out when each message was resolved. To be called once all deliveries and acks are in. */
  settle(): void {
    for (const { ack, offset } of this.acks) {
      const kind = Lane.resolves(ack);
      if (kind !== "no") this.#note(offset, ack.start, kind === "surely" ? ack.end : Number.POSITIVE_INFINITY);
    }
    for (const { pop, offsets } of this.deliveries) {
      if (pop.autoAck) for (const offset of offsets) this.#note(offset, pop.start, pop.end);
    }
    const log = this.#evidence.log(this.partition);
    for (const reset of this.resets) {
      if (reset.effect === "back" || reset.effect === "expire") continue;
      for (let offset = 0; offset < log.length; offset += 1) {
        if (reset.effect === "remove" && log[offset]!.transactionId !== reset.transactionId) continue;
        const pushed = this.#evidence.pushOf(this.partition, offset);
        // A seek to the end passes what may have been there.
        if (reset.effect === "end" && (pushed === null || pushed.start > reset.end)) continue;
        this.#note(offset, reset.start, reset.effect === "remove" ? reset.end : Number.POSITIVE_INFINITY);
      }
    }
  }
}

/** See the module comment. */
export class Evidence {
  readonly history: History;
  readonly lanes = new Map<string, Lane>();
  readonly #offsets = new Map<string, Map<string, number>>();
  #isSettled = false;
  readonly #winners = new Map<string, Map<number, PushRecord>>();

  constructor(history: History) {
    this.history = history;
    for (const [partition, log] of history.log) {
      this.#offsets.set(partition, new Map(log.map((entry, offset) => [entry.transactionId, offset])));
      this.#winners.set(partition, new Map());
    }
    for (const push of history.pushes) {
      const offset = this.offsetOf(push.partition, push.transactionId);
      const winners = this.#winners.get(push.partition);
      const before = winners?.get(offset);
      // Of attempts that were not answered `queued` the first one may be the one that counted.
      if (push.outcome === "queued" || (push.outcome !== "duplicate" && (!before || before.start > push.start))) {
        if (before?.outcome !== "queued") winners?.set(offset, push);
      }
    }
    for (const pop of history.pops) this.#addPop(pop);
    for (const ack of withOutcomes(this, history.acks)) {
      const offset = this.offsetOf(ack.partition, ack.transactionId);
      if (offset >= 0) this.lane(ack.group, ack.partition).acks.push({ ack, offset });
    }
    for (const lane of this.lanes.values()) lane.settle();
    this.#isSettled = true;
  }

  #addPop(pop: PopRecord): void {
    for (const partition of new Set(pop.messages.map((message) => message.partition))) {
      const mine = pop.messages.filter((message) => message.partition === partition);
      const offsets = mine.map((message) => this.offsetOf(partition, message.transactionId));
      this.lane(pop.group, partition).deliveries.push({ pop, offsets });
    }
  }

  /** The log of a partition; empty for one that is not known. */
  log(partition: string): { transactionId: string; messageId: string }[] {
    return this.history.log.get(partition) ?? [];
  }

  /** Offset of a message, or -1. */
  offsetOf(partition: string, transactionId: string): number {
    return this.#offsets.get(partition)?.get(transactionId) ?? -1;
  }

  /** The push that made a message, as far as it can be told. */
  pushOf(partition: string, offset: number): PushRecord | null {
    return this.#winners.get(partition)?.get(offset) ?? null;
  }

  /** What is known of a group on a partition. */
  lane(group: string, partition: string): Lane {
    const key = `${group}\n${partition}`;
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = new Lane(this, group, partition);
      this.lanes.set(key, lane);
      // Nobody consumed here, but a seek may have passed what is there.
      if (this.#isSettled) lane.settle();
    }
    return lane;
  }
}
