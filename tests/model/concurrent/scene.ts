/**
 * What the actors of a concurrent run share: servers, a queue, a history, and when to stop.
 *
 * @module
 */
import type postgres from "postgres";
import { Api, type PushItem } from "../../support/api.ts";
import { Http } from "../../support/http.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import type { Random } from "../../support/random.ts";
import { History } from "../history/history.ts";

/** Poison always fails; private messages are pushed once, so that they may be deleted. */
export type Kind = "plain" | "poison" | "private";

/** Seconds; short, so that leases run out during a run. */
const LEASE_TIME_S = 1;
const RETRY_LIMIT = 2;
const DEAD_LETTERS_PER_PAGE = 100;

/** See the module comment. */
export class Scene {
  /** Clients of all servers; several for one and the same are fine. */
  apis: readonly Api[];
  readonly queue: string;
  readonly partitions: readonly string[];
  readonly history = new History(LEASE_TIME_S * 1_000, RETRY_LIMIT);
  readonly partitionIds = new Map<string, string>();
  /** Items that were pushed at least once and may be pushed again. */
  readonly repeatable: PushItem[] = [];
  /** Private messages that were answered, so that nobody pushes them again, and are still there. */
  readonly deletable: PushItem[] = [];
  /** Messages that were dead-lettered and may be given back. */
  readonly dead: { partition: string; transactionId: string }[] = [];
  readonly createdAt: string[] = [];
  /** Whether what clients speak HTTP with may send a request again whose connection broke: it may then find its work done. */
  mayRepeat = false;
  /** Actors pause until this resolves. */
  up: Promise<unknown> = Promise.resolve();
  /** How long each actor rests before an operation, in milliseconds. */
  breathMs = 0;
  #left: number;
  readonly #deadline: number;

  /**
   * @param urls - Base addresses of the servers.
   * @param operations - Number of requests after which actors stop.
   * @param msMax - Time after which they stop in any case.
   */
  constructor(urls: readonly string[], queue: string, operations: number, msMax: number) {
    this.apis = urls.map((url) => new Api(new Http(url)));
    this.queue = queue;
    this.partitions = ["p0", "p1", "p2", "p3", "p4", "p5"];
    this.#left = operations;
    this.#deadline = performance.now() + msMax;
  }

  /** Makes the queue. */
  async prepare(): Promise<void> {
    await this.apis[0]!.configure(this.queue, { leaseTime: LEASE_TIME_S, retryLimit: RETRY_LIMIT });
  }

  /** Whether actors stop. */
  get over(): boolean {
    return this.#left <= 0 || performance.now() > this.#deadline;
  }

  /** Stops the actors. */
  finish(): void {
    this.#left = 0;
  }

  /** @returns Whether there is another operation to do, once a server is up; counts it. */
  async proceed(): Promise<boolean> {
    await this.up;
    if (this.breathMs > 0) await new Promise((resolve) => setTimeout(resolve, this.breathMs));
    this.#left -= 1;
    return !this.over;
  }

  /** @returns A new item that nobody else pushes: its presence tells what became of the request that carries it. */
  ownItem(random: Random): PushItem {
    const id = random.chance(0.5) ? uuidV7() : uniqueName("own");
    return { queue: this.queue, partition: random.pick(this.partitions), transactionId: id, payload: { id } };
  }

  /** Lists the dead letters, as they are now. */
  async readDeadLetters(): Promise<void> {
    const letters = [];
    for (let offset = 0; ; offset += DEAD_LETTERS_PER_PAGE) {
      const params = { queue: this.queue, limit: DEAD_LETTERS_PER_PAGE, offset };
      const page = await this.apis[0]!.deadLetters(params);
      for (const { consumerGroup: group, partition, transactionId } of page)
        letters.push({ group, partition, transactionId });
      if (page.length < DEAD_LETTERS_PER_PAGE) break;
    }
    this.history.deadLetters = letters;
  }

  /** @returns A new item; its id tells its kind to whoever consumes it. */
  newItem(random: Random): PushItem {
    const kind: Kind = random.weighted({ plain: 12, poison: 1, private: 1.5 });
    const id = random.chance(0.6) && kind === "plain" ? uuidV7(Date.now() - random.pick([0, 0, 50])) : uniqueName(kind);
    const item = {
      queue: this.queue,
      partition: random.pick(this.partitions),
      transactionId: id,
      payload: { id, pad: "x".repeat(random.pick([0, 10, 10, 3_000])) },
    };
    if (kind !== "private") this.repeatable.push(item);
    return item;
  }

  /** @returns One of the servers. */
  api(random: Random): Api {
    return random.pick(this.apis);
  }

  /** Reads the log out of the store. Throws when offsets are not dense. */
  async readLog(sql: postgres.Sql): Promise<void> {
    const rows = await sql<
      { partition: string; head: number; first: number; count: number; base: string; keys: Buffer }[]
    >`
      select p.name as partition, p.head::int, s.first_offset::int as first, s.message_count as count, s.id_base as base, s.tx_keys as keys
      from queen.partitions p
      join queen.queues q on q.id = p.queue_id
      join queen.segments s on s.queue_id = p.queue_id and s.partition_id = p.id
      where q.name = ${this.queue} order by p.id, s.first_offset`;
    const names = new Map(
      this.history.pushes.map(({ partition, transactionId }) => [keyOf(partition, transactionId), transactionId]),
    );
    const { log } = this.history;
    log.clear();
    for (const { partition, first, count, base, keys } of rows) {
      const entries = log.get(partition) ?? [];
      if (first !== entries.length) throw new Error(`${partition}: a segment at ${first}, expected ${entries.length}`);
      for (let at = 0; at < count; at += 1) {
        const key = `${partition} ${keys.toString("hex", at * 16, at * 16 + 16)}`;
        const id = base.slice(0, 31) + at.toString(16).padStart(5, "0");
        entries.push({ transactionId: names.get(key) ?? `unknown ${key}`, messageId: id });
      }
      log.set(partition, entries);
    }
    for (const { partition, head } of rows) {
      if (log.get(partition)!.length !== head) throw new Error(`${partition}: head is ${head}, log ends before`);
    }
  }
}

/** The key under which the store keeps a transaction id: the id itself when it is a UUID, else its hash. */
function keyOf(partition: string, transactionId: string): string {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(transactionId);
  const hex = uuid
    ? transactionId.replaceAll("-", "")
    : new Bun.CryptoHasher("sha256").update(transactionId).digest("hex").slice(0, 32);
  return `${partition} ${hex}`;
}
