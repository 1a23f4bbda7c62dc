/**
 * `queen tail`: follows a queue by listing its messages and reading them one by one. A consumer group of its own would leave cursors
 * behind when it is killed, and hold retention up.
 *
 * @module
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { Exit } from "./exit.ts";
import { dim, harmless, note, print, printJson } from "./output.ts";

/** Options of tail. */
export interface TailOptions {
  readonly partition?: string;
  readonly since?: string;
  readonly count?: number;
  readonly interval: number;
  readonly payload: boolean;
  readonly raw?: boolean;
}

/**
 * How far back each look goes, in milliseconds: the time of creation is taken before the commit, so that a message may show after
 * one that is newer.
 */
const OVERLAP_MS = 5_000;
const PAGE = 1_000;
/** One look takes no more than this: whoever cannot read that fast is told what was left out. */
const LOOK_MAX = 20_000;
const READS_AT_ONCE = 8;
/** Looks never follow each other faster. */
const INTERVAL_MS_MIN = 50;

/** Prints messages as they arrive, until Ctrl-C. */
export async function tail({ args, options, client }: Invocation<TailOptions>): Promise<number> {
  const stop = stopOnSignal();
  const follower = new Follower(client, args[0]!, options, stop);
  try {
    await follower.begin();
    while (!stop.aborted) {
      if (await follower.look()) return Exit.ok;
      await sleep(Math.max(INTERVAL_MS_MIN, options.interval), undefined, { signal: stop });
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  return Exit.ok;
}

/** Aborts at the first Ctrl-C or SIGTERM: that is how following ends, and no failure. */
export function stopOnSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

class Follower {
  readonly #client: Client;
  readonly #queue: string;
  readonly #options: TailOptions & { json?: boolean };
  readonly #stop: AbortSignal;
  /** Ids seen, with their times, as far back as a look goes. */
  readonly #seen = new Map<string, number>();
  /** Of the newest message seen, or where following begins; by the clock of the server. */
  #newest = 0;
  #begin = 0;
  #printed = 0;

  constructor(client: Client, queue: string, options: TailOptions & { json?: boolean }, stop: AbortSignal) {
    this.#client = client;
    this.#queue = queue;
    this.#options = options;
    this.#stop = stop;
  }

  /** Finds out where to begin: what is there already is old, unless `--since` wants it. */
  async begin(): Promise<void> {
    if (this.#options.since !== undefined) {
      this.#begin = Date.parse(this.#options.since);
      this.#newest = this.#begin + OVERLAP_MS;
      return;
    }
    // No clock of ours: the one of the server's messages decides.
    const { timestamp } = await this.#client.get("/api/v1/resources/overview", {}, { signal: this.#stop });
    this.#newest = Date.parse(timestamp);
    this.#begin = this.#newest - OVERLAP_MS;
    for (const message of await this.#list()) this.#seen.set(message.id, Date.parse(message.createdAt));
    if (this.#options.json !== true && process.stderr.isTTY) note(dim(`Following ${this.#queue}; Ctrl-C ends.`));
  }

  /** Prints what is new. @returns Whether as many were printed as wanted. */
  async look(): Promise<boolean> {
    const fresh = (await this.#list()).filter((message) => !this.#seen.has(message.id)).reverse();
    for (let at = 0; at < fresh.length; at += READS_AT_ONCE) {
      const group = fresh.slice(at, at + READS_AT_ONCE);
      const full = await Promise.all(group.map((message) => this.#read(message)));
      for (const [index, message] of group.entries()) {
        this.#seen.set(message.id, Date.parse(message.createdAt));
        this.#newest = Math.max(this.#newest, Date.parse(message.createdAt));
        // Deleted between the two readings.
        if (full[index] === null) continue;
        await this.#print(message, full[index]);
        this.#printed += 1;
        if (this.#options.count !== undefined && this.#printed >= this.#options.count) return true;
      }
    }
    const oldest = this.#newest - 2 * OVERLAP_MS;
    for (const [id, at] of this.#seen) if (at < oldest) this.#seen.delete(id);
    return false;
  }

  /** Messages from a little before the newest one seen on, newest first. */
  async #list(): Promise<Json[]> {
    const from = new Date(Math.max(this.#begin, this.#newest - OVERLAP_MS)).toISOString();
    // The clock of whoever lists may stand behind that of the database: no message is too new.
    const to = new Date(Date.now() + 86_400_000).toISOString();
    const found = new Map<string, Json>();
    for (let offset = 0; ; offset += PAGE) {
      const query = { queue: this.#queue, partition: this.#options.partition, from, to, limit: PAGE, offset };
      const { messages } = await this.#client.get("/api/v1/messages", query, { signal: this.#stop });
      let known = 0;
      for (const message of messages as Json[]) {
        if (this.#seen.has(message.id)) known += 1;
        found.set(message.id, message);
      }
      if (messages.length < PAGE || known === messages.length) return [...found.values()];
      if (offset + PAGE >= LOOK_MAX) {
        note(`queen: more than ${LOOK_MAX} messages at once; older ones are left out.`);
        return [...found.values()];
      }
    }
  }

  async #read(message: Json): Promise<Json | null> {
    if (!this.#options.payload) return message;
    const path = pathOf("/api/v1/messages", message.partitionId, message.transactionId);
    const full = await this.#client.get(path, {}, { signal: this.#stop });
    return full.error === undefined ? full : null;
  }

  async #print(message: Json, full: Json): Promise<void> {
    const { json, raw, payload } = this.#options;
    if (json) return await printJson(full);
    const data = typeof full.payload === "string" && raw ? full.payload : (JSON.stringify(full.payload) ?? "");
    if (raw) return await print(data);
    const start = `${dim(message.createdAt)}  ${harmless(message.partition)}  ${dim(harmless(message.transactionId))}`;
    await print(payload ? `${start}  ${harmless(data)}` : start);
  }
}
