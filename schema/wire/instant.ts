/**
 * Points in time as text.
 *
 * @module
 */

const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/**
 * Reads an ISO 8601 timestamp. Without a zone it is UTC; without a time, midnight.
 *
 * @returns The same instant in UTC with microseconds, as PostgreSQL reads it; null when the text is no such timestamp.
 */
export function parseInstant(text: string): string | null {
  const match = ISO.exec(text.trim());
  if (!match) return null;
  const [, date, clock = "00:00", seconds = "00", fraction = "", zone = "Z"] = match;
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2").toUpperCase();
  const digits = fraction.padEnd(6, "0").slice(0, 6);
  const ms = Date.parse(`${date}T${clock}:${seconds}.${digits.slice(0, 3)}${offset}`);
  if (Number.isNaN(ms)) return null;
  const utc = new Date(ms).toISOString();
  // Years outside of 1 to 9999 have a sign, or are none to PostgreSQL.
  return /^\d{4}-/.test(utc) && !utc.startsWith("0000") ? `${utc.slice(0, -1)}${digits.slice(3)}Z` : null;
}

/** Cuts a timestamp with microseconds to milliseconds, as most answers show them. */
export function toMilliseconds(instant: string): string {
  return `${instant.slice(0, 23)}Z`;
}
