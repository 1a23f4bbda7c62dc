/**
 * The spool: pushes that wait on the local disk for the store, in the order they came.
 *
 * ```
 * append ──▶ newest file ──(full, or the reader comes near)──▶ sealed files ──▶ read, advance ──▶ removed
 * ```
 *
 * Files are read whole, once sealed. Knows nothing of the database: who reads, when, and what becomes of the pushes is
 * the caller's business.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { mkdir, readFile, truncate, unlink } from "node:fs/promises";
import { QueenError } from "../../schema/wire/errors.ts";
import { FORMAT_CBOR, type KeyRing } from "../../schema/wire/segment.ts";
import { countFailed, type FailedFiles, listSegments, segmentPath, writeFailed } from "./files.ts";
import { Position } from "./position.ts";
import {
  contentOf,
  type FoundRecord,
  HEADER_BYTES,
  isReadable,
  type PackedPush,
  type SpooledPush,
  scanRecords,
  unpackPush,
} from "./record.ts";
import { type SpoolFile, Writer } from "./writer.ts";

/** What a spool is opened with. */
export interface SpoolOptions {
  /** Made when missing. Nobody else may use it. */
  folder: string;
  /** Most bytes on disk, failed files included. */
  bytesMax: number;
  /** Most messages in a file, unless a single push has more. */
  fileMessagesMax: number;
  /** Encrypts and decrypts; without a key records are plain. */
  ring: KeyRing;
  /** Told of damage. */
  onDamage(fields: { file: string; start: number; end: number }): void;
}

/** Records to be stored next, all of one format. */
export interface SpooledBatch {
  pushes: SpooledPush[];
  messageCount: number;
  /** Before they were compressed. */
  rawBytes: number;
  /** Number of the first record, and the number behind the last. */
  first: number;
  next: number;
}

/** A file being read. */
interface Loaded {
  file: SpoolFile;
  content: Buffer;
  records: FoundRecord[];
  at: number;
}

/** See the module comment. */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #position: Position;
  readonly #writer: Writer;
  #failed: FailedFiles;
  /** Oldest first. */
  readonly #files: SpoolFile[] = [];
  #bytes = 0;
  #loaded: Loaded | null = null;
  #messageCount = 0;

  private constructor(options: SpoolOptions, position: Position, failed: FailedFiles) {
    this.#options = options;
    this.#position = position;
    this.#failed = failed;
    this.#writer = new Writer(options.folder, options.fileMessagesMax, {
      opened: (file) => void this.#files.push(file),
      written: (file, bytes, messageCount) => this.#grow(file, bytes, messageCount),
      useless: (file) => this.#drop(file),
    });
  }

  /**
   * Opens a folder, and finds what an earlier owner left: torn tails are cut, damage is set aside and reported.
   *
   * @throws Error when the folder cannot be used, or holds records whose key is not in the ring.
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { folder } = options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const position = await Position.open(`${folder}/position`);
    const spool = new Spool(options, position, await countFailed(folder));
    spool.#writer.nextSequence = Math.max(1, position.value);
    try {
      for (const first of await listSegments(folder)) await spool.#adopt(first);
      return spool;
    } catch (error) {
      await position.close();
      throw error;
    }
  }

  /** Messages that wait. */
  get messageCount(): number {
    return this.#messageCount;
  }

  /** Bytes of the files that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get failed(): Readonly<FailedFiles> {
    return this.#failed;
  }

  /** Whether nothing waits. Pushes that are still being written do not count. */
  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /**
   * Writes a push behind all others.
   *
   * @returns Once it is on disk.
   * @throws QueenError `SPOOL_FULL`, and it is not written; `SPOOL_WRITE_FAILED`, as {@link Writer.append}.
   */
  async append(push: PackedPush): Promise<void> {
    const size = HEADER_BYTES + push.bytes.length;
    if (this.#bytes + this.#writer.waitingBytes + this.#failed.bytes + size > this.#options.bytesMax) {
      throw new QueenError("SPOOL_FULL");
    }
    await this.#writer.append(push);
  }

  /**
   * Reads the oldest records that are not stored yet, all of one format. Reading again without {@link Spool.advance} gives them
   * again.
   *
   * @param messagesMax - At least one record is read, however many messages it has.
   * @param rawBytesMax - As that, in bytes before compression.
   * @returns Null when nothing waits.
   * @throws Error when the disk fails.
   */
  async read(messagesMax: number, rawBytesMax: number): Promise<SpooledBatch | null> {
    for (let loaded = await this.#load(); loaded !== null; loaded = await this.#load()) {
      const { records } = loaded;
      const first = records[loaded.at]!;
      const batch: SpooledBatch = { pushes: [], messageCount: 0, rawBytes: 0, first: first.sequence, next: 0 };
      for (let at = loaded.at; at < records.length; at += 1) {
        const record = records[at]!;
        const fits =
          batch.messageCount + record.messageCount <= messagesMax && batch.rawBytes + record.rawBytes <= rawBytesMax;
        if (batch.next > 0 && (!fits || ((record.format ^ first.format) & FORMAT_CBOR) !== 0)) break;
        const push = await this.#unpack(loaded, record);
        if (push !== null) batch.pushes.push(push);
        batch.messageCount += record.messageCount;
        batch.rawBytes += record.rawBytes;
        batch.next = record.sequence + 1;
      }
      if (batch.pushes.length > 0) return batch;
      await this.advance(batch);
    }
    return null;
  }

  /** Notes that a batch needs no more replaying; on disk when it resolves. */
  async advance(batch: SpooledBatch): Promise<void> {
    await this.#position.write(batch.next);
    const loaded = this.#loaded;
    if (loaded === null) return;
    this.#messageCount -= batch.messageCount;
    loaded.file.messageCount -= batch.messageCount;
    while (loaded.at < loaded.records.length && loaded.records[loaded.at]!.sequence < batch.next) loaded.at += 1;
    if (loaded.at === loaded.records.length) await this.#drop(loaded.file);
  }

  /**
   * Sets messages aside that the store refuses for good, durable when it resolves.
   *
   * @param first - Number of the batch they came in; a repeat for the same batch replaces the file.
   * @param lines - One JSON text a message.
   */
  async refuse(first: number, lines: readonly string[]): Promise<void> {
    const { folder, ring } = this.#options;
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(""), "utf8");
    if (ring.usable) await writeFailed(folder, first, lines.length, "jsonl.encrypted", ring.encrypt(text));
    else await writeFailed(folder, first, lines.length, "jsonl", text);
    this.#failed = await countFailed(folder);
  }

  /** Finishes what is being written and closes the files; what waits stays for the next owner. */
  async close(): Promise<void> {
    await this.#writer.idle();
    for (const file of this.#files) await this.#writer.release(file);
    await this.#position.close();
  }

  #grow(file: SpoolFile, bytes: number, messageCount: number): void {
    file.bytes += bytes;
    file.messageCount += messageCount;
    this.#bytes += bytes;
    this.#messageCount += messageCount;
  }

  async #adopt(first: number): Promise<void> {
    const path = segmentPath(this.#options.folder, first);
    const content = await readFile(path);
    const { records, damaged, end } = scanRecords(content);
    const last = records.at(-1)?.sequence ?? first;
    this.#writer.nextSequence = Math.max(this.#writer.nextSequence, last + 1);
    for (const stretch of damaged) {
      await this.#setAside(path, first + stretch.start, 0, content, stretch);
    }
    const waiting = records.filter((record) => record.sequence >= this.#position.value);
    if (waiting.length === 0) {
      await unlink(path);
      return;
    }
    if (end < content.length) await truncate(path, end);
    if (!waiting.every((record) => isReadable(contentOf(content, record), record.format, this.#options.ring))) {
      throw new Error(
        "The file buffer holds messages encrypted with a key that is not configured: add it to QUEEN_ENCRYPTION_PREVIOUS_KEYS",
      );
    }
    const messageCount = waiting.reduce((sum, record) => sum + record.messageCount, 0);
    const file: SpoolFile = { first, path, bytes: 0, messageCount: 0, handle: null };
    this.#files.push(file);
    this.#grow(file, end, messageCount);
  }

  /** Null when the record is damaged in spite of its checksum: it is set aside. */
  async #unpack({ file, content }: Loaded, record: FoundRecord): Promise<SpooledPush | null> {
    try {
      return unpackPush(contentOf(content, record), record.format, this.#options.ring);
    } catch {
      await this.#setAside(file.path, record.sequence, record.messageCount, content, record);
      return null;
    }
  }

  async #setAside(
    file: string,
    number: number,
    messageCount: number,
    content: Buffer,
    { start, end }: { start: number; end: number },
  ): Promise<void> {
    await writeFailed(this.#options.folder, number, messageCount, "damaged", content.subarray(start, end));
    this.#failed = await countFailed(this.#options.folder);
    this.#options.onDamage({ file, start, end });
  }

  /** The oldest file with records that wait, sealed, in memory. */
  async #load(): Promise<Loaded | null> {
    for (;;) {
      const file = this.#files[0];
      if (!file) return null;
      if (this.#loaded?.file === file) return this.#loaded;
      await this.#writer.release(file);
      const found = await this.#readFile(file);
      if (found !== null && found.records.length > 0) {
        this.#loaded = found;
        return found;
      }
      await this.#drop(file);
    }
  }

  async #readFile(file: SpoolFile): Promise<Loaded | null> {
    let content: Buffer;
    try {
      content = (await readFile(file.path)).subarray(0, file.bytes);
    } catch (error) {
      // An earlier owner in this process finished it.
      if ((error as { code?: string }).code === "ENOENT") return null;
      throw error;
    }
    const { value } = this.#position;
    const scan = scanRecords(content);
    if (scan.end < content.length) scan.damaged.push({ start: scan.end, end: content.length });
    for (const stretch of scan.damaged)
      await this.#setAside(file.path, file.first + stretch.start, 0, content, stretch);
    const records = scan.records.filter((record) => record.sequence >= value);
    return { file, content, records, at: 0 };
  }

  async #drop(file: SpoolFile): Promise<void> {
    const at = this.#files.indexOf(file);
    if (at >= 0) this.#files.splice(at, 1);
    this.#messageCount -= file.messageCount;
    this.#bytes -= file.bytes;
    file.messageCount = 0;
    file.bytes = 0;
    if (this.#loaded?.file === file) this.#loaded = null;
    await unlink(file.path).catch((error: { code?: string }) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
}
