/**
 * A segment in memory: as it is stored, and unpacked once somebody needs that.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import {
  FORMAT_CBOR,
  FORMAT_ENCRYPTED,
  jsonMessageEnds,
  KeyRing,
  type PackedBody,
  packBody,
  unpackBody,
} from "../../schema/wire/segment.ts";

/** What is known of a segment besides its body. */
export interface SegmentFacts {
  partitionId: number;
  firstOffset: number;
  messageCount: number;
  /** ISO 8601 with microseconds. */
  createdAt: string;
  /** Message id of the first message. */
  idBase: string;
  /** 16 bytes a message: the keys of the transaction ids. */
  keys: Buffer;
}

/** Whoever counts the memory of a segment. */
export interface SegmentKeeper {
  /** An unpacked body was asked for: it may be new in memory. */
  used(): void;
}

const NO_KEYS = new KeyRing([]);

/** See the module comment. */
export class Segment {
  readonly partitionId: number;
  readonly firstOffset: number;
  readonly messageCount: number;
  readonly createdAt: string;
  readonly idBase: string;
  readonly keys: Buffer;
  /** Whether the body is CBOR; JSON otherwise. */
  readonly cbor: boolean;
  keeper: SegmentKeeper | null = null;
  /** Never encrypted. */
  #packed: PackedBody | null;
  #body: Buffer | null;
  #ends: Uint32Array | null = null;

  /**
   * @param stored - The body as it is stored.
   * @param ring - Decrypts it, when it is encrypted.
   * @param body - The same unpacked, when it is at hand.
   * @throws Error when it is encrypted and its key is missing; with `body` it is not decrypted.
   */
  constructor(facts: SegmentFacts, stored: PackedBody, ring: KeyRing, body: Buffer | null) {
    this.partitionId = facts.partitionId;
    this.firstOffset = facts.firstOffset;
    this.messageCount = facts.messageCount;
    this.createdAt = facts.createdAt;
    this.idBase = facts.idBase;
    this.keys = facts.keys;
    this.cbor = (stored.format & FORMAT_CBOR) !== 0;
    this.#body = body;
    if (!(stored.format & FORMAT_ENCRYPTED)) this.#packed = stored;
    else if (body) this.#packed = null;
    else this.#packed = { format: stored.format & ~FORMAT_ENCRYPTED, bytes: ring.decrypt(stored.bytes) };
  }

  /**
   * The messages, as `schema/wire/segment.ts` describes them.
   *
   * @throws Error when the stored body is damaged.
   */
  get body(): Buffer {
    const body = this.#body ?? unpackBody(this.#packed!.bytes, this.#packed!.format, NO_KEYS);
    this.#body = body;
    this.keeper?.used();
    return body;
  }

  /** Where the messages of a JSON body end; found once, since consumers of few messages a pop come back often. */
  get ends(): Uint32Array {
    this.#ends ??= jsonMessageEnds(this.body, this.messageCount);
    return this.#ends;
  }

  /** The body as it is stored, but never encrypted. */
  get packed(): PackedBody {
    this.#packed ??= packBody(this.#body!, this.cbor ? "cbor" : "json", null);
    return this.#packed;
  }

  /** Bytes that stay as long as the segment does. */
  get keptBytes(): number {
    return this.keys.length + (this.#packed?.bytes.length ?? this.#body!.length);
  }

  /** Bytes that {@link Segment.dropBody} sets free. */
  get bodyBytes(): number {
    if (!this.#packed || !this.#body || this.#packed.bytes.buffer === this.#body.buffer) return 0;
    return this.#body.length;
  }

  /** Forgets the unpacked body, where it can be made again. */
  dropBody(): void {
    if (!this.#packed) return;
    this.#body = null;
    this.#ends = null;
  }
}
