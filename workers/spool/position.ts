/**
 * The place of the replay, kept on disk: the sequence number of the first record that is not stored yet.
 *
 * Two slots are written in turn, so that a write that was cut short leaves the one before it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";

/** Far enough apart to lie in different blocks of the disk. */
const SLOT_DISTANCE = 4096;
const SLOT_BYTES = 16;

function slotValue(slot: Buffer): number {
  if (slot.length < SLOT_BYTES || slot.readUInt32LE(8) !== crc32(slot.subarray(0, 8))) return 0;
  return Number(slot.readBigUInt64LE(0));
}

/** See the module comment. One writer at a time. */
export class Position {
  readonly #file: FileHandle;
  #slot = 0;
  /** The sequence number; 0 when nothing was ever written. */
  value: number;

  private constructor(file: FileHandle, value: number) {
    this.#file = file;
    this.value = value;
  }

  /** Opens the file, making it when it is missing. A later value wins over an earlier one. */
  static async open(path: string): Promise<Position> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const bytes = Buffer.alloc(SLOT_DISTANCE + SLOT_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead < bytes.length) {
      // Room for both slots from the start: the place must move on when the disk is full, or nothing ever leaves it.
      await file.write(bytes, bytesRead, bytes.length - bytesRead, bytesRead);
      await file.sync();
    }
    const values = [0, SLOT_DISTANCE].map((at) => slotValue(bytes.subarray(at, at + SLOT_BYTES)));
    const position = new Position(file, Math.max(...values));
    position.#slot = values[0]! > values[1]! ? 1 : 0;
    return position;
  }

  /** Moves on; on disk when it resolves. */
  async write(value: number): Promise<void> {
    const slot = Buffer.alloc(SLOT_BYTES);
    slot.writeBigUInt64LE(BigInt(value), 0);
    slot.writeUInt32LE(crc32(slot.subarray(0, 8)), 8);
    await this.#file.write(slot, 0, SLOT_BYTES, this.#slot * SLOT_DISTANCE);
    await this.#file.datasync();
    this.#slot = 1 - this.#slot;
    this.value = value;
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}
