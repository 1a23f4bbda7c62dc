/**
 * Pop: find the queue and the group, claim, and wait for more when asked to.
 *
 * A pop that may wait first tries without telling anybody; when that finds nothing it enters the table of parked pops,
 * tries once more (what was committed before is found, what comes after wakes it), and parks.
 *
 * Trouble with the database never reaches the client of a pop: consumers of published clients end at an error. A pop that
 * may wait tries again until its deadline; then, or at once when it may not wait, the answer is empty.
 *
 * @module
 */

import { parseInstant } from "../../schema/wire/instant.ts";
import { QUEUE_MODE_GROUP } from "../../schema/wire/limits.ts";
import type { PopAnswer } from "../../schema/wire/pop-answer.ts";
import type { SegmentAnswer } from "../../schema/wire/segment-answer.ts";
import type { PopParams } from "../protocol.ts";
import { isAway } from "../storage/failures.ts";
import type { Subscription } from "../storage/queues.ts";
import { Claimer } from "./claim.ts";
import type { EngineContext } from "./context.ts";
import type { LeaseBook } from "./lease-book.ts";
import { FilteredSources, type FoundSources, type Source } from "./pop-filter.ts";
import { ReadyFloors } from "./ready-floors.ts";
import { PARTITION_UNKNOWN, Waiters } from "./waiters.ts";

const AWAY_PAUSE_MS = 300;
/**
 * How often pops look for queues that do not exist yet, or for queues of a namespace or task, unless told that something
 * was made. All of them look at the same moments, so that one statement serves many.
 */
const LOOK_MS = 1_000;
/** How often one attempt asks for the best queues, when others took what they had. */
const ROUNDS_MAX = 3;

/** A pop under way. */
export interface PopCall {
  cancelled: boolean;
  /** Ends the waiting early. */
  stop: (() => void) | null;
}

/** What a pop asked for and was not there when it looked: whatever is in it later came after the pop. */
interface Unmade {
  queue: boolean;
  partition: boolean;
}

/** Milliseconds until the next moment at which pops look again, 1 or more. */
function untilNextLook(): number {
  return LOOK_MS - (Date.now() % LOOK_MS);
}

/** Whether an answer took all it was allowed to, so that more may be left. */
function isFilled(answer: PopAnswer | SegmentAnswer, batch: number): boolean {
  if ("partitions" in answer) return true;
  let count = 0;
  for (const { from, to } of answer.pieces) count += to - from;
  return count >= batch;
}

/** Where the subscription parameters say that a group's consumption starts. */
export function subscriptionOf(params: PopParams): Subscription {
  const { group, subscriptionMode, subscriptionFrom } = params;
  if (group === QUEUE_MODE_GROUP) return { mode: "all", from: null };
  if (subscriptionFrom !== "" && subscriptionFrom !== "now") {
    const from = parseInstant(subscriptionFrom);
    if (from !== null) return { mode: "timestamp", from };
  }
  const fresh = subscriptionFrom === "now" || subscriptionMode === "new" || subscriptionMode === "new-only";
  return { mode: fresh ? "new" : "all", from: null };
}

/** Pops for one worker. */
export class Popper {
  readonly #context: EngineContext;
  readonly #claimer: Claimer;
  readonly waiters: Waiters;
  readonly #floors = new ReadyFloors();
  #stopping = false;
  /** Pops asleep until a queue of this name is made. */
  readonly #unknown = new Map<string, Set<() => void>>();
  readonly #filtered: FilteredSources;

  constructor(context: EngineContext, leases: LeaseBook, parked: SharedArrayBuffer) {
    this.#context = context;
    this.#filtered = new FilteredSources(context);
    this.#claimer = new Claimer(context, leases, this.#floors);
    const { index, popPollMs } = context.settings;
    // What is ready later than the next look is found by that one.
    const look: ConstructorParameters<typeof Waiters>[3] = (pairs) =>
      this.#floors.ask(context.database.look, pairs, 2 * popPollMs.max);
    this.waiters = new Waiters(parked, index, popPollMs.max, look);
  }

  /** Answers all parked pops as if their time had run out, and parks no more. */
  stop(): void {
    this.#stopping = true;
    this.queueChanged([]);
    this.waiters.wakeAll();
    this.waiters.stop();
  }

  /**
   * Pops.
   *
   * @param call - Set `cancelled` and call `stop` when the client goes away: no lease is taken for it from then on.
   * @returns Null when there is nothing (in time).
   */
  async pop(params: PopParams, call: PopCall): Promise<PopAnswer | SegmentAnswer | null> {
    const startedAt = Date.now();
    const deadline = startedAt + (params.wait ? params.timeoutMs : 0);
    const over = () => call.cancelled || this.#stopping || Date.now() >= deadline;
    const unmade: Unmade = { queue: false, partition: false };
    let entered: readonly number[] = [];
    try {
      let mayPark = params.wait && params.queue !== undefined && params.partition === undefined;
      for (;;) {
        let since = this.waiters.sequence(entered);
        // Only what the last attempt does not find is not there.
        const final = Date.now() >= deadline;
        const tried = mayPark && !final ? await this.#withoutLooking(params, unmade) : null;
        mayPark = false;
        const { sources, answer, pause } = tried ?? (await this.#attempt(params, call, { final, startedAt, unmade }));
        if (answer || call.cancelled || this.#stopping) return answer;
        if (final) return null;
        if (over()) continue;
        if (pause > 0 || sources.length === 0) {
          await this.#sleep(Math.min(pause || untilNextLook(), deadline - Date.now()), call, params.queue ?? "");
          continue;
        }
        const queueIds = sources.map((source) => source.queueId).sort((a, b) => a - b);
        if (entered.join() !== queueIds.join()) {
          this.waiters.leave(entered);
          this.waiters.enter(queueIds);
          entered = queueIds;
          if (!tried || !this.#isKnownEmpty(sources)) continue;
          since = this.waiters.sequence(entered);
        }
        // Queues that match a namespace or task may come and go.
        const until = params.queue === undefined ? Math.min(deadline, Date.now() + untilNextLook()) : deadline;
        await this.#park(sources, call, until, since);
        if (over() && (call.cancelled || this.#stopping)) return null;
      }
    } finally {
      this.waiters.leave(entered);
    }
  }

  /** Waits to be woken. A pop whose client goes away hands on what it was woken for. */
  async #park(sources: readonly Source[], call: PopCall, until: number, since: number): Promise<void> {
    const { done, stop } = this.waiters.park(
      {
        queueIds: sources.map((source) => source.queueId),
        groupIds: sources.map((source) => source.groupId),
        partitionId: sources[0]!.partitionId,
      },
      until,
      since,
    );
    call.stop = stop;
    await done;
    call.stop = null;
    if (call.cancelled) for (const { queueId, groupId } of sources) this.waiters.pass(queueId, groupId, true);
  }

  #isKnownEmpty(sources: readonly Source[]): boolean {
    return sources.length === 1 && this.waiters.isKnownEmpty(sources[0]!.queueId, sources[0]!.groupId);
  }

  /** What an attempt would come back with, when it is known without asking the store; else null. */
  async #withoutLooking(
    params: PopParams,
    unmade: Unmade,
  ): Promise<{ sources: Source[]; answer: null; pause: 0 } | null> {
    try {
      const { sources } = await this.#sources(params, Date.now(), unmade);
      return this.#isKnownEmpty(sources) ? { sources, answer: null, pause: 0 } : null;
    } catch {
      return null;
    }
  }

  /**
   * Wakes pops that wait for these queues to be made; all of them when the list is empty. Whatever changes a queue as a
   * whole may also have taken long to commit.
   */
  queueChanged(names: readonly string[]): void {
    this.#floors.reset();
    const sets = names.length === 0 ? [...this.#unknown.values()] : names.map((name) => this.#unknown.get(name));
    for (const wakes of sets) for (const wake of [...(wakes ?? [])]) wake();
  }

  /** Sleeps until the time is over, the call is stopped, or the queue changes. */
  async #sleep(ms: number, call: PopCall, queue: string): Promise<void> {
    const wakes = this.#unknown.get(queue) ?? new Set();
    this.#unknown.set(queue, wakes);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => call.stop?.(), Math.max(0, ms));
      const wake = () => {
        clearTimeout(timer);
        call.stop = null;
        wakes.delete(wake);
        resolve();
      };
      call.stop = wake;
      wakes.add(wake);
    });
    if (wakes.size === 0) this.#unknown.delete(queue);
  }

  /** One try. `pause` is how long to wait before the next one when waking is no help. */
  async #attempt(
    params: PopParams,
    call: PopCall,
    when: { final: boolean; startedAt: number; unmade: Unmade },
  ): Promise<{ sources: Source[]; answer: PopAnswer | SegmentAnswer | null; pause: number }> {
    let sources: Source[] = [];
    try {
      for (let round = 1; ; round += 1) {
        const found = await this.#sources(params, when.startedAt, when.unmade);
        sources = found.sources;
        const answer = await this.#claimFrom(sources, params, call, when.final);
        if (answer) return { sources, answer, pause: 0 };
        if (found.more && round < ROUNDS_MAX && !call.cancelled) continue;
        return { sources, answer: null, pause: found.parkable ? 0 : untilNextLook() };
      }
    } catch (error) {
      if (!isAway(error)) this.#context.log("error", "pop_failed", { error: String(error) });
      return { sources, answer: null, pause: AWAY_PAUSE_MS };
    }
  }

  /** Claims from the first source that has something. */
  async #claimFrom(
    sources: readonly Source[],
    params: PopParams,
    call: PopCall,
    final: boolean,
  ): Promise<PopAnswer | SegmentAnswer | null> {
    for (const { queueId, queueName, groupId, partitionId, promising } of sources) {
      if (!promising) continue;
      const { autoAck, batch, partitions } = params;
      const packed = params.segments === true;
      const answer = await this.#claimer.claim(
        { queueId, queueName, groupId, groupName: params.group, partitionId, autoAck },
        { batch, partitions, packed, final, cancelled: () => call.cancelled },
      );
      if (answer) {
        this.waiters.pass(queueId, groupId, isFilled(answer, batch));
        return answer;
      }
      this.waiters.foundNothing(queueId, groupId);
    }
    return null;
  }

  /** @param since - When the pop came. */
  async #sources(params: PopParams, since: number, unmade: Unmade): Promise<FoundSources> {
    if (params.queue !== undefined) {
      const source = await this.#source(params.queue, params, unmade);
      return { sources: source ? [source] : [], more: false, parkable: true };
    }
    return await this.#filtered.find(params, subscriptionOf(params), since);
  }

  async #source(name: string, params: PopParams, unmade: Unmade): Promise<Source | null> {
    const { catalog } = this.#context;
    const queue = await catalog.queue(name);
    unmade.queue ||= queue === null;
    if (!queue) return null;
    const source = { queueId: queue.id, queueName: queue.name, promising: true };
    const subscription = subscriptionOf(params);
    const whole: Subscription = { mode: "all", from: null };
    const isNew = subscription.mode === "new";
    if (params.partition === undefined) {
      const groupId = await catalog.ensureGroup(
        queue,
        params.group,
        isNew && unmade.queue ? whole : subscription,
        null,
      );
      return groupId === null ? null : { ...source, groupId, partitionId: null };
    }
    const partition = await catalog.partition(queue, params.partition);
    unmade.partition ||= partition === null;
    if (!partition) return { ...source, groupId: 0, partitionId: PARTITION_UNKNOWN, promising: false };
    const all = isNew && (unmade.queue || unmade.partition);
    const groupId = await catalog.ensureGroup(queue, params.group, all ? whole : subscription, partition.id);
    return groupId === null ? null : { ...source, groupId, partitionId: partition.id };
  }
}
