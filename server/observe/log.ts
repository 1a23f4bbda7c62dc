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

/** `12:00:00 INFO  listening url=http://…`: what pino wrote as JSON, for eyes. */
function writePlain(line: string): void {
  const { level, time, event, ...fields }: Record<string, unknown> = JSON.parse(line);
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const clock = String(time).slice(11, 19);
  process.stdout.write(`${clock} ${String(level).toUpperCase().padEnd(5)} ${String(event)} ${details.join(" ")}\n`);
}
