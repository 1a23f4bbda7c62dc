/**
 * What commands print: text, tables and JSON on stdout; remarks on stderr. Colours only on terminals, and not with `NO_COLOR`.
 *
 * @module
 */
import process from "node:process";
import { clientEnvironment } from "../config.ts";

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers stand on the right. */
  readonly right?: boolean;
}

const BOLD = "\u001b[1m";
const DIM = "\u001b[2m";
const PLAIN = "\u001b[0m";

/** Whether a person sees stdout. */
export const isTerminal = process.stdout.isTTY === true;
const coloured = isTerminal && clientEnvironment().color;

/** Bold on a terminal. */
export function bold(text: string): string {
  return coloured ? BOLD + text + PLAIN : text;
}

/** Dim on a terminal. */
export function dim(text: string): string {
  return coloured ? DIM + text + PLAIN : text;
}

/**
 * Writes to stdout.
 *
 * @returns Once it was taken, so that a slow reader holds the command up instead of filling memory.
 */
export function write(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}

/** Writes a line to stdout. */
export function print(line = ""): Promise<void> {
  return write(`${line}\n`);
}

/** Writes a value as one line of JSON to stdout. */
export function printJson(value: unknown): Promise<void> {
  return write(`${JSON.stringify(value)}\n`);
}

/** Writes a remark to stderr, where it is in no program's way. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Whoever read our output has seen enough (`queen messages | head -1`): that is no failure. */
export function endQuietlyWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  }
}

/** What others named, made safe for a terminal: no control characters, none that turn the direction of writing. */
export function harmless(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Columns a text takes on a terminal: wide characters two, combining marks none. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}|\u200d/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

/**
 * Lays out a table.
 *
 * @param rows - Cells in the order of the columns.
 * @returns Lines without a last newline; the head alone when there are no rows.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(harmless));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((row) => widthOf(row[at] ?? ""))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => {
        const padding = " ".repeat(Math.max(0, widths[at]! - widthOf(cell)));
        return columns[at]!.right ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  return [bold(line(columns.map(({ title }) => title))), ...cells.map(line)].join("\n");
}

/** Lays out names and values below each other. */
export function pairs(values: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...values.map(([name]) => name.length));
  return values.map(([name, value]) => `${dim(name.padEnd(width))}  ${harmless(value)}`).join("\n");
}

/** A count with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A count with what it counts: `1 queue`, `2,000 queues`. */
export function counted(value: number, singular: string): string {
  return `${count(value)} ${singular}${value === 1 ? "" : "s"}`;
}

/** Seconds as people say them: `0 s`, `3 m 20 s`, `2 d 4 h`. */
export function seconds(value: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const;
  let left = Math.round(value);
  const parts: string[] = [];
  for (const [unit, length] of units) {
    const amount = Math.floor(left / length);
    left -= amount * length;
    if (amount > 0 && parts.length < 2) parts.push(`${amount} ${unit}`);
  }
  return parts.length === 0 ? "0 s" : parts.join(" ");
}

/** Bytes as people say them. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let left = value;
  let at = 0;
  while (left >= 1000 && at < units.length - 1) {
    left /= 1000;
    at += 1;
  }
  return `${at === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[at]}`;
}

/** A JSON value as one line, cut to a width. */
export function shortJson(value: unknown, widthMax: number): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length <= widthMax ? text : `${text.slice(0, widthMax - 1)}…`;
}
