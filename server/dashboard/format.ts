/**
 * Numbers, times and sizes as people read them.
 *
 * @module
 */

const UNITS = ["", "k", "M", "G", "T"] as const;
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
const grouped = new Intl.NumberFormat("en-US");

/** A count, whole: `1,234,567`. */
export function whole(value: number): string {
  return grouped.format(Math.round(value));
}

/** A number in four characters or so: `0.25`, `12.3`, `1.2k`, `34M`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size < 1_000)
    return size === 0 ? "0" : size < 1 ? value.toFixed(2) : size < 10 ? trimmed(value, 1) : value.toFixed(0);
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1_000;
    unit += 1;
  }
  return `${Math.abs(rest) < 100 ? trimmed(rest, 1) : rest.toFixed(0)}${UNITS[unit]}`;
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0+$/, "");
}

/** A size: `1.5 MiB`. */
export function bytes(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= 1_024 && unit < BYTES.length - 1) {
    rest /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? rest.toFixed(0) : trimmed(rest, 1)} ${BYTES[unit]}`;
}

/** A length of time given in milliseconds: `0.4 ms`, `12 ms`, `1.2 s`, `4m 10s`, `5m`, `3h 5m`, `2d 4h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return ms === 0 ? "0 ms" : ms < 10 ? `${trimmed(ms, 1)} ms` : `${ms.toFixed(0)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${trimmed(seconds, 1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair(minutes, "m", Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, "h", minutes % 60, "m");
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

function pair(large: number, unit: string, small: number, smaller: string): string {
  return small === 0 ? `${large}${unit}` : `${large}${unit} ${small}${smaller}`;
}

/** How long ago an instant was: `3 s ago`; `in 5 s` when it is to come. */
export function ago(instant: string, now = Date.now()): string {
  const ms = now - Date.parse(instant);
  if (Math.abs(ms) < 1_000) return "just now";
  return ms < 0 ? `in ${coarse(-ms)}` : `${coarse(ms)} ago`;
}

function coarse(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1_000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : plural(Math.floor(hours / 24), "day");
}

const two = (value: number) => String(value).padStart(2, "0");

/** An instant in the local zone: `2026-05-16 10:00:00`. */
export function moment(instant: string): string {
  const at = new Date(instant);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `1 message`, `2 messages`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

/** A consumer group's name; the unnamed one has a reserved name. */
export function groupName(name: string): string {
  return name === "__QUEUE_MODE__" ? "(queue mode)" : name;
}

/** How wide the steps of a series are. */
export function steps(minutes: number): string {
  if (minutes === 1) return "by the minute";
  if (minutes === 60) return "by the hour";
  return minutes < 60 ? `by ${minutes} minutes` : `by ${minutes / 60} hours`;
}
