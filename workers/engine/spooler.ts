/**
 * Buffering: when pushes go to the spool, and how they come out of it. Worker 0 alone runs it, for its whole instance.
 *
 * ```
 * direct ──(push maintenance, or a push that the store did not take)──▶ buffering ──(spool drained)──▶ direct
 * ```
 *
 * While an instance is buffering, its router sends all pushes here, and they go behind what is spooled already: a push
 * that was answered is never overtaken by one that was sent after the answer. What is spooled is replayed, oldest first,
 * whenever the store takes it and push maintenance is off; that nothing is left is what ends buffering.
 *
 * While the spool drains, new pushes wait at the gate, so that it does get empty under any load: for each byte that was
 * replayed half a byte is let in, and nothing once the rest is small. What waits is then stored without a detour.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import type { InstanceState, SpoolAppendParams } from "../protocol/maintenance.ts";
import { type PackedPush, packPush } from "../spool/record.ts";
import type { Spool, SpooledBatch } from "../spool/spool.ts";
import type { EngineContext } from "./context.ts";
import type { Flags } from "./flags.ts";
import { databaseAnswers } from "./health.ts";
import type { Pusher } from "./push.ts";
import type { PushUnit } from "./push-unit.ts";
import { isUnavailable, replayBatch } from "./replay.ts";
import { markBuffered, openPart } from "./spool-unit.ts";

/** A batch of the replay. */
const BATCH_RAW_BYTES_MAX = 8 * 1024 * 1024;
/** While draining, the gate is shut when this little is left: a batch or two. */
const REST_BYTES_MAX = 1024 * 1024;
const REST_MESSAGES_MAX = 20_000;
const RETRY_MS_MAX = 1_000;
/** An unexpected error ends the wait for a batch after so many attempts. */
const ATTEMPTS_MAX = 5;
/** How often the router is told of mere counts. */
const REPORT_MS = 500;

/** See the module comment. */
export class Spooler {
  readonly #context: EngineContext;
  readonly #pusher: Pusher;
  readonly #flags: Flags;
  /** Null: this instance cannot spool, and refuses instead. */
  readonly #spool: Spool | null;
  /** Pushes that are being written. */
  #appending = 0;
  #draining = false;
  /** Bytes that the gate lets in. */
  #credit = 0;
  #databaseHealthy = true;
  #writeHealthy = true;
  #stopping = false;
  #running: Promise<void> | null = null;
  #news: (() => void)[] = [];
  #reported = "";
  #wasBuffering = false;
  #reportTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(context: EngineContext, pusher: Pusher, flags: Flags, spool: Spool | null) {
    this.#context = context;
    this.#pusher = pusher;
    this.#flags = flags;
    this.#spool = spool;
  }

  /** Whether pushes go to the spool, or wait until it is drained. */
  get buffering(): boolean {
    const { pushMaintenance } = this.#flags.values;
    return pushMaintenance || this.#appending > 0 || (this.#spool !== null && !this.#spool.isEmpty);
  }

  /** How this instance stands now. */
  get state(): InstanceState {
    return {
      ...this.#flags.values,
      buffering: this.buffering,
      pendingMessages: this.#spool?.messageCount ?? 0,
      failedMessages: this.#spool?.failed.messages ?? 0,
      databaseHealthy: this.#databaseHealthy,
      spoolUsable: this.#spool !== null && this.#writeHealthy,
    };
  }

  /** Files of refused messages. */
  get failedFiles(): { count: number; bytes: number } {
    return this.#spool?.failed ?? { count: 0, bytes: 0 };
  }

  /** Begins to replay. */
  start(): void {
    this.#changed();
    this.#running = this.#run();
  }

  /** Ends after the batch under way; pushes that wait at the gate are spooled. */
  async stop(): Promise<void> {
    this.halt();
    await this.#running;
    if (this.#reportTimer) clearTimeout(this.#reportTimer);
    await this.#spool?.close();
  }

  /** Opens the gate for good and starts no further batch. */
  halt(): void {
    this.#stopping = true;
    this.#changed();
  }

  /** The switches may have changed. */
  noteChange(): void {
    this.#changed();
  }

  /** Whether the database answered. */
  databaseAnswered(healthy: boolean): void {
    this.#databaseHealthy = healthy;
    this.#changed();
  }

  /**
   * Spools a push while buffering.
   *
   * @returns False when buffering ended while it waited: it is to be stored as usual.
   * @throws As {@link Spooler.spool}.
   */
  async take(units: readonly PushUnit[], cbor: boolean, producerSub: string | null): Promise<boolean> {
    const bytes = units.reduce((sum, unit) => sum + unit.bytes, 0);
    await this.#gate(bytes);
    if (!this.buffering) return false;
    await this.spool(units, cbor, producerSub);
    return true;
  }

  /**
   * Spools what of these units has no outcome yet; on disk when it resolves.
   *
   * @throws {@link QueenError} `ENCRYPTION_KEY_MISSING`, `QUEUE_UNKNOWN` (where that can be said now), `SPOOL_FULL`,
   * `SPOOL_WRITE_FAILED`.
   */
  async spool(units: readonly PushUnit[], cbor: boolean, producerSub: string | null): Promise<void> {
    const parts = openPart(units);
    if (parts.length > 0) {
      const queues = parts.map((part) => part.queue);
      await this.#append(queues, () => packPush(parts, cbor, producerSub, this.#context.ring));
    }
    markBuffered(units);
  }

  /** As {@link Spooler.spool}, for a push that another worker packed. */
  async spoolPacked(params: SpoolAppendParams, bytes: ArrayBuffer): Promise<void> {
    const { format, messageCount, rawBytes, queues } = params;
    await this.#append(queues, () => ({ format, messageCount, rawBytes, bytes: Buffer.from(bytes) }));
  }

  /** @throws {@link QueenError} `PUSHES_BUFFERED` while buffering: what cannot be spooled would overtake. */
  refuseWhileBuffering(): void {
    if (this.buffering) throw new QueenError("PUSHES_BUFFERED");
  }

  async #append(queues: readonly string[], pack: () => PackedPush): Promise<void> {
    if (this.#spool === null) throw new QueenError("SPOOL_WRITE_FAILED");
    // From here on pushes queue up behind this one.
    this.#appending += 1;
    this.#changed();
    try {
      await this.#check(queues);
      await this.#spool.append(pack());
      this.#writeHealthy = true;
    } catch (error) {
      if (error instanceof QueenError && error.code === "SPOOL_WRITE_FAILED") {
        this.#writeHealthy = false;
        this.#context.log("error", "spool_write_failed", { error: String(error.cause) });
      }
      throw error;
    } finally {
      this.#appending -= 1;
      this.#changed();
    }
  }

  /** Refuses what the store would refuse, as far as that is known without it. */
  async #check(queues: readonly string[]): Promise<void> {
    const { catalog, ring, settings } = this.#context;
    for (const queue of new Set(queues)) {
      const known = catalog.remembered(queue);
      if (!ring.usable && (known?.encryption_enabled || this.#flags.isEncrypted(queue))) {
        throw new QueenError("ENCRYPTION_KEY_MISSING", { queue });
      }
      if (settings.autoCreateQueues || known || !this.#databaseHealthy) continue;
      const found = await catalog.queue(queue).catch(() => undefined);
      if (found === null) throw new QueenError("QUEUE_UNKNOWN", { queue });
    }
  }

  async #gate(bytes: number): Promise<void> {
    while (this.#draining && this.buffering && !this.#stopping && !this.#maintained()) {
      const { bytes, messageCount } = this.#spool!;
      const rest = bytes < REST_BYTES_MAX && messageCount < REST_MESSAGES_MAX;
      if (!rest && this.#credit > 0) break;
      await this.#nextNews();
    }
    this.#credit -= bytes;
  }

  #maintained(): boolean {
    return this.#flags.values.pushMaintenance;
  }

  async #run(): Promise<void> {
    let pauseMs = this.#context.settings.spool?.retryMs ?? RETRY_MS_MAX;
    for (let attempts = 0; !this.#stopping; ) {
      if (this.#spool === null || this.#maintained() || this.#spool.isEmpty) {
        this.#draining = false;
        await this.#nextNews();
        continue;
      }
      // Statements to a database that says nothing pile up behind each other.
      if (!this.#databaseHealthy && !(await databaseAnswers(this.#context))) {
        this.#draining = false;
        this.#changed();
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX);
        continue;
      }
      try {
        await this.#replayNext(attempts >= ATTEMPTS_MAX);
        attempts = 0;
        pauseMs = this.#context.settings.spool!.retryMs;
      } catch (error) {
        this.#draining = false;
        if (isUnavailable(error)) this.databaseAnswered(false);
        else {
          attempts += 1;
          this.#context.log("error", "spool_replay_failed", { error: String(error), attempts });
          this.#changed();
        }
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX);
      }
    }
  }

  async #replayNext(insist: boolean): Promise<void> {
    const spool = this.#spool!;
    const batch = await spool.read(this.#context.settings.spool!.batchMessagesMax, BATCH_RAW_BYTES_MAX);
    if (batch === null) return;
    const refused = await replayBatch(this.#pusher, batch, insist);
    if (refused.length > 0) await this.#setAside(batch, refused);
    await spool.advance(batch);
    this.#draining = true;
    this.#credit = Math.min(BATCH_RAW_BYTES_MAX, Math.max(0, this.#credit) + batch.rawBytes / 2);
    this.databaseAnswered(true);
  }

  async #setAside(batch: SpooledBatch, refused: Awaited<ReturnType<typeof replayBatch>>): Promise<void> {
    await this.#spool!.refuse(
      batch.first,
      refused.map((message) => JSON.stringify(message)),
    );
    const { queue, partition, error } = refused[0]!;
    this.#context.log("error", "spool_refused", { messages: refused.length, first: { queue, partition, error } });
  }

  #nextNews(): Promise<void> {
    return new Promise((resolve) => this.#news.push(resolve));
  }

  /** Waits; a stop ends it. */
  async #pause(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let left = ms; left > 0 && !this.#stopping; left = until - performance.now()) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([this.#nextNews(), new Promise<void>((resolve) => (timer = setTimeout(resolve, left)))]);
      clearTimeout(timer);
    }
  }

  /** Tells whoever waits, and the router: at once what it acts on, mere counts now and then. */
  #changed(): void {
    for (const resolve of this.#news.splice(0)) resolve();
    const { pushMaintenance, popMaintenance, buffering, databaseHealthy, spoolUsable } = this.state;
    const now = [pushMaintenance, popMaintenance, buffering, databaseHealthy, spoolUsable].join();
    if (buffering !== this.#wasBuffering) {
      this.#wasBuffering = buffering;
      const level = buffering && !pushMaintenance ? "warn" : "info";
      this.#context.log(level, buffering ? "buffering" : "buffering_over", { pushMaintenance, databaseHealthy });
    }
    if (now !== this.#reported) {
      this.#reported = now;
      this.#context.send({ kind: "state", state: this.state });
    } else if (this.#reportTimer === null && buffering) {
      this.#reportTimer = setTimeout(() => {
        this.#reportTimer = null;
        this.#context.send({ kind: "state", state: this.state });
      }, REPORT_MS);
    }
  }
}
