/**
 * Array parameters as PostgreSQL's text literals. The driver would look up array types first and escape element by
 * element; the receiving function's signature types them all the same.
 *
 * @module
 */

/** An array of numbers, or of uuid text; null elements are allowed. */
export function arrayOf(values: readonly (number | string | null)[]): string {
  return `{${values.map((value) => (value === null ? "null" : value)).join(",")}}`;
}

/** An array of any text; null elements are allowed. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "null" : `"${value.replace(/["\\]/g, "\\$&")}"`)).join(",")}}`;
}

/** An instant given in milliseconds since 1970, or `-Infinity`. */
export function instantOf(milliseconds: number): string {
  return milliseconds === -Infinity ? "-infinity" : new Date(milliseconds).toISOString();
}

/** An array of booleans. */
export function booleanArray(values: readonly boolean[]): string {
  return `{${values.map((value) => (value ? "t" : "f")).join(",")}}`;
}

/** Offsets as a list of `[from, to)` pairs, flat: `[from, to, from, to, …]`. */
export type OffsetRanges = readonly number[];

/** A multirange. */
export function multirange(ranges: OffsetRanges): string {
  let text = "{";
  for (let index = 0; index < ranges.length; index += 2) {
    text += `${index === 0 ? "" : ","}[${ranges[index]},${ranges[index + 1]})`;
  }
  return `${text}}`;
}

/** Reads a multirange of whole numbers, as PostgreSQL prints it. */
export function parseMultirange(text: string | null): number[] {
  if (text === null || text === "{}") return [];
  const ranges: number[] = [];
  for (const match of text.matchAll(/\[(\d+),(\d+)\)/g)) ranges.push(Number(match[1]), Number(match[2]));
  return ranges;
}

/**
 * Turns offsets into ranges.
 *
 * @param offsets - Any order, repeats allowed. Sorted in place.
 */
export function rangesOf(offsets: number[]): number[] {
  if (offsets.length === 0) return [];
  for (let index = 1; index < offsets.length; index += 1) {
    if (offsets[index]! < offsets[index - 1]!) {
      offsets.sort((a, b) => a - b);
      break;
    }
  }
  const ranges: number[] = [];
  let start = offsets[0]!;
  let end = start + 1;
  for (const offset of offsets) {
    if (offset > end) {
      ranges.push(start, end);
      start = offset;
    }
    if (offset >= end || offset === start) end = offset + 1;
  }
  ranges.push(start, end);
  return ranges;
}
