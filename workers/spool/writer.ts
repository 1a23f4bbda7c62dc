/**
 * Writes records in groups: what arrives while one is being synced joins the next.
 *
 * Only one file is ever written, by one group at a time. After a failure nothing more is written behind the doubtful
 * end, and the next group opens a new file. Files of an earlier owner are never continued.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { QueenError } from "../../schema/wire/errors.ts";
import { segmentPath, syncFolder, writeAll } from "./files.ts";
import { HEADER_BYTES, type PackedPush, recordHeader } from "./record.ts";

/** A file that has this many bytes gets no more records. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Most bytes of one write; a single larger record is written alone. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;

/** A file of records. */
export interface SpoolFile {
  first: number;
  path: string;
  /** Up to where it is written for sure. */
  bytes: number;
  /** Messages in it that wait. */
  messageCount: number;
  /** Null once sealed. */
  handle: FileHandle | null;
}

/** What a {@link Writer} tells its owner. */
export interface WriterEvents {
  opened(file: SpoolFile): void;
  written(file: SpoolFile, bytes: number, messageCount: number): void;
  /** Nothing was written to it after all. */
  useless(file: SpoolFile): Promise<void>;
}

interface Waiting {
  push: PackedPush;
  resolve(): void;
  reject(error: unknown): void;
}

/** See the module comment. */
export class Writer {
  readonly #folder: string;
  readonly #fileMessagesMax: number;
  readonly #events: WriterEvents;
  #active: SpoolFile | null = null;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | null = null;
  /** The group that is being written. */
  #group: Promise<void> | null = null;
  /** Bytes that wait to be written, or are being written. */
  waitingBytes = 0;
  /** Number of the next record. Never drawn again, whatever becomes of it. */
  nextSequence = 1;

  constructor(folder: string, fileMessagesMax: number, events: WriterEvents) {
    this.#folder = folder;
    this.#fileMessagesMax = fileMessagesMax;
    this.#events = events;
  }

  /**
   * Writes a push behind all others.
   *
   * @returns Once it is on disk.
   * @throws QueenError `SPOOL_WRITE_FAILED`; in rare cases it comes back after a restart.
   */
  append(push: PackedPush): Promise<void> {
    this.waitingBytes += HEADER_BYTES + push.bytes.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ push, resolve, reject });
      this.#writing ??= this.#writeGroups();
    });
  }

  /** Writes to this file no more; it is whole when this resolves. */
  async release(file: SpoolFile): Promise<void> {
    if (this.#active === file) this.#active = null;
    // A group that has it in its hands ends first; later ones open another.
    await this.#group;
    await this.#seal(file);
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #writeGroups(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#group = this.#fly(this.#takeGroup());
      await this.#group;
      this.#group = null;
    }
    // In the same step in which nothing more was found: what comes now begins anew.
    this.#writing = null;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { push } of this.#waiting) {
      const size = HEADER_BYTES + push.bytes.length;
      if (count > 0 && bytes + size > GROUP_BYTES_MAX) break;
      bytes += size;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Writes a group and settles it. Never rejects. */
  async #fly(group: readonly Waiting[]): Promise<void> {
    let file: SpoolFile | null = null;
    try {
      file = await this.#writable();
      await this.#writeGroup(file, group);
      for (const { resolve } of group) resolve();
    } catch (error) {
      await this.#giveUp(file ?? this.#active);
      for (const { reject } of group) reject(new QueenError("SPOOL_WRITE_FAILED", {}, { cause: error }));
    }
    for (const { push } of group) this.waitingBytes -= HEADER_BYTES + push.bytes.length;
  }

  async #writable(): Promise<SpoolFile> {
    const active = this.#active;
    if (active && active.bytes < FILE_BYTES_MAX && active.messageCount < this.#fileMessagesMax) return active;
    if (active) await this.#seal(active);
    const first = this.nextSequence;
    const path = segmentPath(this.#folder, first);
    const handle = await open(path, "wx", 0o600);
    const file = { first, path, bytes: 0, messageCount: 0, handle };
    this.#active = file;
    this.#events.opened(file);
    await syncFolder(this.#folder);
    return file;
  }

  async #writeGroup(file: SpoolFile, group: readonly Waiting[]): Promise<void> {
    const parts: Buffer[] = [];
    let messageCount = 0;
    for (const { push } of group) {
      parts.push(recordHeader(push, this.nextSequence), push.bytes);
      this.nextSequence += 1;
      messageCount += push.messageCount;
    }
    const bytes = Buffer.concat(parts);
    await writeAll(file.handle!, bytes, file.bytes);
    await file.handle!.datasync();
    this.#events.written(file, bytes.length, messageCount);
  }

  /** After a failed write: cuts the file back to what is written for sure, and writes to it no more. */
  async #giveUp(file: SpoolFile | null): Promise<void> {
    if (file === null) {
      // The name may be taken by a file that could not be removed.
      this.nextSequence += 1;
      return;
    }
    await file.handle?.truncate(file.bytes).catch(() => {});
    await this.#seal(file);
    if (file.bytes === 0) await this.#events.useless(file).catch(() => {});
    if (this.nextSequence === file.first) this.nextSequence += 1;
  }

  async #seal(file: SpoolFile): Promise<void> {
    const { handle } = file;
    file.handle = null;
    if (this.#active === file) this.#active = null;
    await handle?.close().catch(() => {});
  }
}
