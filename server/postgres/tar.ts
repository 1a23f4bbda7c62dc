/**
 * The part of the tar format (POSIX ustar) that the PostgreSQL inside a full build needs: folders, files and symbolic
 * links with names of up to 100 bytes. Any `tar` reads what is written here.
 *
 * @module
 */

const BLOCK = 512;
const NAME_BYTES_MAX = 100;
const SIZE_OCTAL_DIGITS = 11;

/** A folder, file or symbolic link in an archive. */
export interface TarEntry {
  kind: "file" | "folder" | "link";
  /** Relative path with slashes. */
  name: string;
  /** Permission bits. */
  mode: number;
  /** What is in a file; empty for others. */
  content: Uint8Array;
  /** Where a symbolic link leads; empty for others. */
  target: string;
}

const TYPE_FLAGS = { file: "0", link: "2", folder: "5" } as const;

/**
 * Writes an entry.
 *
 * @param entry - Its name and target are of up to 100 bytes of ASCII.
 * @returns Header and padded content; an archive is these one after another, and {@link tarEnd}.
 * @throws RangeError for a name or target that is too long.
 */
export function tarEntry(entry: TarEntry): Uint8Array {
  const { content, name, target } = entry;
  if (name.length > NAME_BYTES_MAX || target.length > NAME_BYTES_MAX) throw new RangeError(`Too long for tar: ${name}`);
  const bytes = new Uint8Array(BLOCK + padded(content.length));
  const header = Buffer.from(bytes.buffer, 0, BLOCK);
  header.write(name, 0, "latin1");
  writeOctal(header, 100, 7, entry.mode);
  // No owner and no time: whoever unpacks owns, and the same content makes the same archive.
  for (const at of [108, 116]) writeOctal(header, at, 7, 0);
  writeOctal(header, 124, SIZE_OCTAL_DIGITS, content.length);
  writeOctal(header, 136, SIZE_OCTAL_DIGITS, 0);
  header.write(TYPE_FLAGS[entry.kind], 156, "latin1");
  header.write(target, 157, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  writeOctal(header, 148, 6, checksum(header));
  header[155] = 0x20;
  bytes.set(content, BLOCK);
  return bytes;
}

/** What ends an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

/**
 * Reads an archive entry by entry: memory holds one file at a time.
 *
 * @param chunks - The archive, cut anywhere.
 * @returns Its entries in order.
 * @throws Error when it is damaged, cut short, or holds what is no folder, file or symbolic link below its root.
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const source = new Source(chunks);
  for (;;) {
    const header = Buffer.from(await source.take(BLOCK));
    if (header.every((byte) => byte === 0)) return;
    if (readOctal(header, 148, 8) !== checksum(header))
      throw new Error("The archive is damaged: a header's sum is wrong");
    const kind = kindOf(String.fromCharCode(header[156]!));
    const size = readOctal(header, 124, 12);
    const content = (await source.take(padded(size))).subarray(0, size);
    const name = text(header, 0, NAME_BYTES_MAX).replace(/\/$/, "");
    if (name.startsWith("/") || name.split("/").includes("..")) throw new Error(`The archive leads outside: ${name}`);
    yield { kind, name, mode: readOctal(header, 100, 8), content, target: text(header, 157, NAME_BYTES_MAX) };
  }
}

/** Gives out exact numbers of bytes of a stream. */
class Source {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) throw new Error("The archive is cut short");
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return taken;
  }
}

function kindOf(flag: string): TarEntry["kind"] {
  for (const kind of ["file", "link", "folder"] as const) if (TYPE_FLAGS[kind] === flag) return kind;
  throw new Error(`The archive holds an entry of the unknown type ${JSON.stringify(flag)}`);
}

function checksum(header: Buffer): number {
  let sum = 0;
  // The place of the sum itself counts as blanks.
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  return sum;
}

function writeOctal(header: Buffer, at: number, digits: number, value: number): void {
  header.write(value.toString(8).padStart(digits, "0"), at, "latin1");
}

function readOctal(header: Buffer, at: number, length: number): number {
  return Number.parseInt(text(header, at, length).trim() || "0", 8);
}

function text(header: Buffer, at: number, length: number): string {
  return header.toString("latin1", at, at + length).replace(/\0.*$/s, "");
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
