/**
 * The file of a backup: eight letters, then blocks. A block is its kind (1 byte), the length of its content (4 bytes, big-endian),
 * the CRC-32 of the content (4 bytes), and the content:
 *
 * | Kind | Content |
 * |---|---|
 * | 1 | JSON: what this is, see {@link BackupHeader} |
 * | 2 | JSON: a table begins, with its columns |
 * | 3 | zstd: a piece of PostgreSQL's binary copy of the table |
 * | 4 | JSON: the table ends, with the number of its rows |
 * | 5 | JSON: the end, with the sequences and the SHA-256 of all before this block |
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import process from "node:process";
import { crc32 } from "node:zlib";
import { compress, decompress } from "../../schema/wire/zstd.ts";
import { CliError } from "./exit.ts";

const MAGIC = Buffer.from("QUEENBK1");
const BLOCK_HEAD_BYTES = 9;
/** Pieces of a table are gathered up to this size. */
const PIECE_BYTES = 1024 * 1024;
/** No block is larger: a row, with a segment of at most some MiB, and its neighbours. */
const BLOCK_BYTES_MAX = 1024 * 1024 * 1024;

/** Kinds of blocks. */
export const Block = { header: 1, table: 2, data: 3, tableEnd: 4, end: 5 } as const;

/** What a backup says of itself. */
export interface BackupHeader {
  readonly format: 1;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Version of the program that wrote it. */
  readonly version: string;
  readonly postgres: string;
  readonly migration: { readonly id: number; readonly name: string };
  readonly queues: number;
  /** How many of them need their key to be read. */
  readonly encrypted: number;
}

/** Writes a file, which appears under its name when it is complete. */
export class BackupWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #draft: string;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  private constructor(file: FileHandle, path: string, draft: string) {
    this.#file = file;
    this.#path = path;
    this.#draft = draft;
  }

  /** @throws {@link CliError} when the folder cannot be written to. */
  static async create(path: string): Promise<BackupWriter> {
    const draft = `${path}.partial-${process.pid}`;
    try {
      // What is in queues is nobody else's business.
      const writer = new BackupWriter(await open(draft, "wx", 0o600), path, draft);
      await writer.#write(MAGIC);
      return writer;
    } catch (error) {
      throw new CliError(`Cannot write ${path} (${(error as NodeJS.ErrnoException).code}).`);
    }
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes a block of JSON. */
  async json(kind: number, value: unknown): Promise<void> {
    await this.#block(kind, Buffer.from(JSON.stringify(value)));
  }

  /** Writes what a stream gives, in pieces. @returns The bytes it gave. */
  async data(stream: AsyncIterable<Uint8Array>, progress: (bytes: number) => void): Promise<number> {
    let pieces: Uint8Array[] = [];
    let gathered = 0;
    let total = 0;
    for await (const chunk of stream) {
      // The driver uses its buffer again.
      pieces.push(Buffer.from(chunk));
      gathered += chunk.length;
      total += chunk.length;
      if (gathered < PIECE_BYTES) continue;
      await this.#block(Block.data, compress(Buffer.concat(pieces)));
      progress(total);
      pieces = [];
      gathered = 0;
    }
    if (gathered > 0) await this.#block(Block.data, compress(Buffer.concat(pieces)));
    return total;
  }

  /** Writes the last block, has everything reach the disk, and gives the file its name. */
  async finish(value: object): Promise<void> {
    await this.json(Block.end, { ...value, sha256: this.#hash.copy().digest("hex") });
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#draft, this.#path);
  }

  /** Takes back what was written. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#draft, { force: true });
  }

  async #block(kind: number, content: Uint8Array): Promise<void> {
    const head = Buffer.alloc(BLOCK_HEAD_BYTES);
    head.writeUInt8(kind, 0);
    head.writeUInt32BE(content.length, 1);
    head.writeUInt32BE(crc32(content), 5);
    await this.#write(head);
    await this.#write(content);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
    this.#bytes += bytes.length;
  }
}

/** A block that was read; `json` of all kinds but data. */
export interface ReadBlock {
  readonly kind: number;
  // biome-ignore lint/suspicious/noExplicitAny: written by this program, and its checksum was right.
  readonly json: any;
  readonly data: Uint8Array;
}

/**
 * Reads the blocks of a file and checks each, and at the end the whole.
 *
 * @throws {@link CliError} at the first thing that is not as it was written, with its place.
 */
export async function* readBackup(path: string): AsyncGenerator<ReadBlock> {
  const source = new Source(path);
  const hash = createHash("sha256");
  const magic = await source.take(MAGIC.length);
  if (magic === null || !magic.equals(MAGIC)) throw new CliError(`${path} is no backup of Queen.`);
  hash.update(magic);
  for (;;) {
    const at = source.position;
    const damaged = (what: string) => new CliError(`${path} is damaged: ${what} at byte ${at}. Nothing was changed.`);
    const head = await source.take(BLOCK_HEAD_BYTES);
    if (head === null) throw damaged("it ends too early,");
    const [kind, length] = [head.readUInt8(0), head.readUInt32BE(1)];
    if (kind < Block.header || kind > Block.end || length > BLOCK_BYTES_MAX) throw damaged("no block begins");
    const content = await source.take(length);
    if (content === null) throw damaged("it ends within the block");
    if (crc32(content) !== head.readUInt32BE(5)) throw damaged("the checksum is wrong of the block");
    if (kind === Block.data) {
      hash.update(head).update(content);
      yield { kind, json: null, data: decompress(content) };
      continue;
    }
    const json = JSON.parse(content.toString("utf8"));
    if (kind === Block.end) {
      if (json.sha256 !== hash.digest("hex")) throw damaged("the checksum of the whole is wrong, in the last block");
      if ((await source.take(1)) !== null) throw damaged("something follows the last block");
      yield { kind, json, data: content };
      return;
    }
    hash.update(head).update(content);
    yield { kind, json, data: content };
  }
}

/** A file read piece by piece. */
class Source {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #path: string;
  #rest: Buffer = Buffer.alloc(0);
  position = 0;

  constructor(path: string) {
    this.#path = path;
    this.#chunks = createReadStream(path, { highWaterMark: PIECE_BYTES })[Symbol.asyncIterator]();
  }

  /** @returns So many bytes, or null when there are fewer. */
  async take(bytes: number): Promise<Buffer | null> {
    const pieces: Buffer[] = [this.#rest];
    let have = this.#rest.length;
    while (have < bytes) {
      const next = await this.#chunks.next().catch((error: NodeJS.ErrnoException) => {
        throw new CliError(`Cannot read ${this.#path} (${error.code}).`);
      });
      if (next.done) return null;
      pieces.push(next.value);
      have += next.value.length;
    }
    const all = pieces.length === 1 ? this.#rest : Buffer.concat(pieces);
    this.#rest = all.subarray(bytes);
    this.position += bytes;
    return all.subarray(0, bytes);
  }
}
