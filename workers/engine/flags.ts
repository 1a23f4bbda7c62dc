/**
 * The switches of the whole system, as this instance knows them: read when it starts, when another instance says that they
 * changed, and every few seconds for what a lost notification leaves.
 *
 * Runs in worker 0 alone.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import { isAway } from "../storage/failures.ts";
import { type FlagName, flagSet, flagsRead, queuesEncrypted } from "../storage/flags.ts";
import type { EngineContext } from "./context.ts";
import { within } from "./health.ts";

const REFRESH_MS = 5_000;
/** How long a database may take to say what the switches are, and to note one. */
const READ_MS_MAX = 5_000;
const SET_MS_MAX = 10_000;
/** Without a key, so many queues that ask for encryption are known by name. */
const ENCRYPTED_MAX = 10_000;

/** The switches. */
export interface FlagValues {
  pushMaintenance: boolean;
  popMaintenance: boolean;
}

/** What the flags tell. */
export interface FlagEvents {
  /** What the database says now. */
  read(values: FlagValues): void;
  /** Whether it answered. */
  answered(healthy: boolean): void;
  /** Tell other instances. */
  changed(): void;
}

/** See the module comment. */
export class Flags {
  readonly #context: EngineContext;
  readonly #events: FlagEvents;
  #timer: ReturnType<typeof setInterval> | null = null;
  #values: FlagValues = { pushMaintenance: false, popMaintenance: false };
  #reading: Promise<void> | null = null;
  /** Readings so far. */
  #begun = 0;
  #encrypted: ReadonlySet<string> = new Set();

  constructor(context: EngineContext, events: FlagEvents) {
    this.#context = context;
    this.#events = events;
  }

  get values(): Readonly<FlagValues> {
    return this.#values;
  }

  /** Whether a queue is known to ask for encryption; only looked up while there is no key. */
  isEncrypted(queue: string): boolean {
    return this.#encrypted.has(queue);
  }

  /**
   * Reads for the first time, and from now on again and again.
   *
   * @throws The driver's error when the database does not answer.
   */
  async start(): Promise<void> {
    await this.#read();
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** Reads again. A database that is away is told of by the events; never rejects. */
  refresh(): Promise<void> {
    this.#reading ??= within(this.#read(), READ_MS_MAX)
      .then((done) => {
        if (done === null) this.#events.answered(false);
      })
      .catch((error: unknown) => {
        if (isAway(error)) this.#events.answered(false);
        else this.#context.log("warn", "flags_unreadable", { error: String(error) });
      })
      .finally(() => {
        this.#reading = null;
      });
    return this.#reading;
  }

  /**
   * Sets a switch, here and in the database.
   *
   * @throws {@link QueenError} `DATABASE_UNAVAILABLE`; it may be set all the same.
   */
  async set(name: FlagName, enabled: boolean): Promise<void> {
    try {
      const work = this.#write(name, enabled).then(() => true);
      if (!(await within(work, SET_MS_MAX))) throw new QueenError("DATABASE_UNAVAILABLE");
    } catch (error) {
      if (isAway(error)) throw new QueenError("DATABASE_UNAVAILABLE", {}, { cause: error });
      throw error;
    }
    this.#events.changed();
  }

  async #write(name: FlagName, enabled: boolean): Promise<void> {
    // A reading that began earlier may have seen the old value.
    await this.#reading;
    await flagSet(this.#context.database.look, name, enabled);
    await this.#read();
  }

  async #read(): Promise<true> {
    const { database, ring } = this.#context;
    this.#begun += 1;
    const own = this.#begun;
    const rows = await flagsRead(database.look);
    if (!ring.usable) this.#encrypted = new Set(await queuesEncrypted(database.look, ENCRYPTED_MAX));
    // One that began later knows better, and may have been faster.
    if (own !== this.#begun) return true;
    const isOn = (name: FlagName) => rows.some((row) => row.name === name && row.enabled);
    this.#values = { pushMaintenance: isOn("push_maintenance"), popMaintenance: isOn("pop_maintenance") };
    this.#events.answered(true);
    this.#events.read(this.#values);
    return true;
  }
}
