/**
 * Other instances on the same database: what changed and what was pushed here reaches them within a second, as NOTIFY
 * messages gathered for {@link GATHER_MS}; while no other instance shows itself, nothing is sent but a sign of life.
 *
 * Runs in worker 0 alone.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import type { EventBatch } from "../protocol/events.ts";
import type { PeersState } from "../protocol/observation.ts";
import { notificationListen, notificationSend } from "../storage/notifications.ts";
import { Audience, addBatch, cutBatch } from "./audience.ts";
import { emptyBatch } from "./events.ts";
import { Restarts } from "./restarts.ts";

const GATHER_MS = 200;
const HELLO_MS = 5_000;
const PEER_GONE_MS = 3 * HELLO_MS;
/** NOTIFY takes at most 8,000 bytes. */
const NAMES_LENGTH_MAX = 6_000;
const IDS_MAX = 500;
const GONE_MAX = 1_000;

/** What travels. `from` is the sender; `changed` are queue names, `ready` queue ids. */
interface PeerMessage {
  from: string;
  /** A sign of life: the name of the instance. */
  hello?: string;
  changed?: string[];
  ready?: number[];
  /** The switches of the system may have changed. */
  flags?: true;
  /** Whether somebody watches events there; only true ones are repeated, and they expire. */
  listening?: boolean;
  batch?: EventBatch;
}

/** What arriving messages set off. */
export interface PeerEvents {
  /** An empty list means: anything may have changed. */
  changed(names: string[]): void;
  /** Null means: any queue may have messages. */
  ready(queueIds: number[] | null): void;
  /** The switches of the system may have changed. */
  flags(): void;
  /** Whether somebody watches events at another instance. Called when that changes. */
  listening(elsewhere: boolean): void;
  /** What happened at another instance. */
  events(batch: EventBatch): void;
  /** Whether there are other instances. */
  present(present: boolean): void;
  trouble(error: unknown): void;
}

/** See the module comment. */
export class Peers {
  readonly #sql: postgres.Sql;
  readonly #events: PeerEvents;
  readonly #id = randomUUID();
  readonly #name: string;
  readonly #restarts = new Restarts();
  readonly #seen = new Map<string, number>();
  /** Instances that were seen and show themselves no longer. */
  readonly #gone = new Set<string>();
  #sent = 0;
  #received = 0;
  #dropped = 0;
  readonly #audience: Audience;
  #batch = emptyBatch();
  readonly #changed = new Set<string>();
  readonly #ready = new Set<number>();
  #gather: ReturnType<typeof setTimeout> | null = null;
  #hello: ReturnType<typeof setInterval> | null = null;
  #unlisten: (() => Promise<void>) | null = null;

  /**
   * @param sql - A pool of its own; listening takes one connection of it for good.
   * @param name - Of this instance.
   */
  constructor(sql: postgres.Sql, name: string, events: PeerEvents) {
    this.#sql = sql;
    this.#name = name;
    this.#events = events;
    this.#audience = new Audience((elsewhere) => events.listening(elsewhere));
  }

  /** Who else is there, and how many notifications travelled since the start. */
  state(): PeersState {
    return {
      alive: this.#seen.size,
      dead: this.#gone.size,
      sent: this.#sent,
      received: this.#received,
      dropped: this.#dropped,
      restarts: this.#restarts.count,
    };
  }

  /** Begins to listen. Failures are reported and mended in the background. */
  async start(): Promise<void> {
    this.#hello = setInterval(() => this.#beat(), HELLO_MS);
    try {
      this.#unlisten = await notificationListen(
        this.#sql,
        (text) => this.#take(text),
        () => {
          this.#events.changed([]);
          this.#events.ready(null);
          this.#events.flags();
          this.#send([this.#hail()]);
        },
      );
    } catch (error) {
      this.#events.trouble(error);
    }
  }

  /** Tells the others to forget what they know of a queue. */
  announceChanged(name: string): void {
    this.#changed.add(name);
    this.#arm();
  }

  /** Tells the others whether somebody watches events here. */
  announceListening(here: boolean): void {
    if (this.#audience.here === here) return;
    this.#audience.here = here;
    this.#send([{ from: this.#id, listening: here }]);
  }

  /** Tells those who watch at other instances what happened here. */
  publish(batch: EventBatch): void {
    if (!this.#audience.elsewhere) return;
    addBatch(this.#batch, batch);
    this.#arm();
  }

  /** Tells the others, at once, to read the switches of the system. */
  announceFlags(): void {
    this.#send([{ from: this.#id, flags: true }]);
  }

  /** Tells the others that queues may have something for their parked pops. */
  announceReady(queueIds: Iterable<number>): void {
    if (this.#seen.size === 0) return;
    for (const id of queueIds) this.#ready.add(id);
    this.#arm();
  }

  /** Stops; what was gathered is still sent. */
  async stop(): Promise<void> {
    if (this.#hello) clearInterval(this.#hello);
    if (this.#gather) clearTimeout(this.#gather);
    await this.#flush();
    await this.#unlisten?.().catch(() => {});
  }

  /** A sign of life. */
  #hail(): PeerMessage {
    return { from: this.#id, hello: this.#name, ...(this.#audience.here && { listening: true }) };
  }

  #arm(): void {
    this.#gather ??= setTimeout(() => {
      this.#gather = null;
      this.#flush();
    }, GATHER_MS);
  }

  #beat(): void {
    const now = Date.now();
    for (const [peer, at] of this.#seen) {
      if (now - at <= PEER_GONE_MS) continue;
      this.#seen.delete(peer);
      this.#restarts.lost(peer, at);
      // Every start of an instance is another one; their number is bounded.
      if (this.#gone.size < GONE_MAX) this.#gone.add(peer);
    }
    this.#audience.expire(now - PEER_GONE_MS);
    this.#events.present(this.#seen.size > 0);
    this.#send([this.#hail()]);
  }

  async #flush(): Promise<void> {
    const messages: PeerMessage[] = [];
    let names: string[] = [];
    let length = 0;
    for (const name of this.#changed) {
      const cost = Buffer.byteLength(JSON.stringify(name)) + 1;
      if (length + cost > NAMES_LENGTH_MAX) {
        messages.push({ from: this.#id, changed: names });
        names = [];
        length = 0;
      }
      names.push(name);
      length += cost;
    }
    if (names.length > 0) messages.push({ from: this.#id, changed: names });
    const ids = [...this.#ready];
    for (let at = 0; at < ids.length; at += IDS_MAX) {
      messages.push({ from: this.#id, ready: ids.slice(at, at + IDS_MAX) });
    }
    this.#changed.clear();
    this.#ready.clear();
    if (this.#batch.events.length > 0 || this.#batch.dropped > 0) {
      for (const batch of cutBatch(this.#batch)) messages.push({ from: this.#id, batch });
      this.#batch = emptyBatch();
    }
    await this.#send(messages);
  }

  async #send(messages: readonly PeerMessage[]): Promise<void> {
    try {
      await notificationSend(
        this.#sql,
        messages.map((message) => JSON.stringify(message)),
      );
      this.#sent += messages.length;
    } catch (error) {
      this.#dropped += messages.length;
      this.#events.trouble(error);
    }
  }

  #take(text: string): void {
    let message: PeerMessage;
    try {
      message = JSON.parse(text) as PeerMessage;
    } catch {
      this.#dropped += 1;
      return;
    }
    if (typeof message.from !== "string" || message.from === this.#id) return;
    this.#received += 1;
    this.#gone.delete(message.from);
    const known = this.#seen.has(message.from);
    this.#seen.set(message.from, Date.now());
    if (typeof message.hello === "string") this.#restarts.seen(message.from, message.hello, Date.now());
    if (!known) {
      this.#events.present(true);
      // Whoever just came learns of us at once.
      this.#send([this.#hail()]);
    }
    if (Array.isArray(message.changed) && message.changed.length > 0) this.#events.changed(message.changed);
    if (typeof message.listening === "boolean") this.#audience.note(message.from, message.listening);
    if (message.batch) this.#events.events(message.batch);
    if (message.flags === true) this.#events.flags();
    if (Array.isArray(message.ready) && message.ready.length > 0) this.#events.ready(message.ready);
  }
}
