/**
 * Readers of what is typed; each refuses in a sentence that names what would do.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns A reader of whole numbers. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `Expected a whole number, ${min} or more.`
        : `Expected a whole number from ${min} to ${max}.`,
    );
  };
}

/** Reads a length of time (`500ms`, `30s`, `10m`, `2h`, `7d`; a bare number is seconds). @returns Milliseconds. */
export function duration(text: string): number {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim()) ?? [];
  if (amount === undefined)
    throw new InvalidArgumentError("Expected a length of time such as 500ms, 30s, 10m, 2h or 7d.");
  return Number(amount) * UNITS[unit]!;
}

/** Reads a point in time: ISO 8601, or how long ago (`10m`). @returns ISO 8601. */
export function instant(text: string): string {
  const ago = /^-?(\d+(?:\.\d+)?\s*(?:ms|s|m|h|d))(?:\s+ago)?$/.exec(text.trim());
  if (ago) return new Date(Date.now() - duration(ago[1]!)).toISOString();
  const iso = /^\d{4}-\d{2}-\d{2}(?:[T ].*)?$/.test(text.trim()) ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(iso.getTime())) return text.includes("T") && /Z$/i.test(text) ? text : iso.toISOString();
  throw new InvalidArgumentError("Expected a time such as 2026-05-16T10:00:00Z, or how long ago, such as 10m.");
}

/** Reads `true` or `false`. */
export function boolean(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgumentError("Expected true or false.");
}
