/**
 * The log of the process: one JSON object a line, or plain lines when a person watches.
 *
 * @module
 */
import pino, { type Logger } from "pino";

/** Writes one event: a name in snake case, and plain fields. */
export type Log = (level: "debug" | "info" | "warn" | "error", event: string, fields?: Record<string, unknown>) => void;

/**
 * Makes the log.
 *
 * @param level - Least severe level written: `trace` to `fatal`, or `silent`.
 * @param toTerminal - True for lines meant for people instead of JSON.
 * @returns A function that never throws for any fields.
 */
export function createLog(level: string, toTerminal: boolean): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: "event",
  };
  const logger: Logger = toTerminal
    ? pino(options, { write: writePlain })
    : pino(options, pino.destination({ fd: 1, sync: true }));
  return (eventLevel, event, fields = {}) => logger[eventLevel](fields, event);
}

function writePlain(line: string): void {
  process.stdout.write(plainLine(line));
}

/**
 * A line for eyes: `12:00:00 INFO  listening url=http://…`. What a client named cannot steer the terminal, nor begin a
 * line of its own.
 *
 * @param line - What pino wrote as JSON.
 */
export function plainLine(line: string): string {
  const { level, time, event, ...fields }: Record<string, unknown> = JSON.parse(line);
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${harmless(typeof value === "string" ? value : JSON.stringify(value))}`,
  );
  const clock = String(time).slice(11, 19);
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${String(event)} ${details.join(" ")}\n`;
}

/** Control characters and those that turn the direction of writing, escaped; further lines, as stacks have them, indented. */
function harmless(text: string): string {
  return text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" ? "\n    " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
