/**
 * Where pushes of clients come in: straight to the store, or to the spool of the instance when it is buffering or the
 * store does not take them.
 *
 * The spool is worker 0's. Another worker's push that the store did not take leaves packed, to be sent there.
 *
 * @module
 */

import type { PushResult } from "../../schema/wire/push-answer.ts";
import type { PushItem } from "../../schema/wire/push-item.ts";
import type { SpoolAppendParams } from "../protocol/maintenance.ts";
import { packPush } from "../spool/record.ts";
import type { EngineContext } from "./context.ts";
import { countPush } from "./count-work.ts";
import type { Pusher } from "./push.ts";
import { collectResults, makeUnits, type PushUnit } from "./push-unit.ts";
import { isUnavailable } from "./replay.ts";
import { markBuffered, openPart } from "./spool-unit.ts";
import type { Spooler } from "./spooler.ts";

/** A packed push on its way to worker 0. */
export interface Diversion {
  params: SpoolAppendParams;
  bytes: Buffer;
}

/** What became of a push. With a diversion, the results hold once worker 0 has spooled it. */
export interface Pushed {
  results: PushResult[];
  diversion: Diversion | null;
}

/** See the module comment. */
export class PushDoor {
  readonly #context: EngineContext;
  readonly #pusher: Pusher;
  /** In worker 0 only. */
  readonly #spooler: Spooler | null;

  constructor(context: EngineContext, pusher: Pusher, spooler: Spooler | null) {
    this.#context = context;
    this.#pusher = pusher;
    this.#spooler = spooler;
  }

  /**
   * Stores or spools the items of one request.
   *
   * @param items - In the order they shall have within each partition.
   * @returns One result an item, in order.
   * @throws {@link QueenError} As {@link Pusher.push} and {@link Spooler.spool}.
   */
  async push(items: readonly PushItem[], cbor: boolean, producerSub: string | null): Promise<Pushed> {
    const units = makeUnits(items, cbor, producerSub);
    if (this.#spooler?.buffering && (await this.#spooler.take(units, cbor, producerSub))) {
      return this.#pushed(units, items, null);
    }
    try {
      await this.#pusher.append(units);
    } catch (error) {
      if (!isUnavailable(error) || this.#context.settings.spool === null) throw error;
      if (this.#spooler === null) return this.#divert(units, items, cbor, producerSub);
      this.#spooler.databaseAnswered(false);
      await this.#spooler.spool(units, cbor, producerSub);
    }
    return this.#pushed(units, items, null);
  }

  #divert(units: PushUnit[], items: readonly PushItem[], cbor: boolean, producerSub: string | null): Pushed {
    const parts = openPart(units);
    const { format, messageCount, rawBytes, bytes } = packPush(parts, cbor, producerSub, this.#context.ring);
    const queues = [...new Set(parts.map((part) => part.queue))];
    const repeatable = items.every((item) => item.transactionId !== null);
    markBuffered(units);
    return this.#pushed(units, items, { params: { format, messageCount, rawBytes, queues, repeatable }, bytes });
  }

  #pushed(units: PushUnit[], items: readonly PushItem[], diversion: Diversion | null): Pushed {
    countPush(this.#context, units);
    return { results: collectResults(units, items.length), diversion };
  }
}
