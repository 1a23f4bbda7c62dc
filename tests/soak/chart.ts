/**
 * Series of numbers as one line of text.
 *
 * @module
 */

const LEVELS = "▁▂▃▄▅▆▇█";

/**
 * Draws a series. Its lowest value is the lowest block, its highest the highest; a series that hardly varies is drawn in
 * the middle, so that noise does not look like a mountain.
 *
 * @param values - In order.
 * @param width - Most characters; neighbours are averaged.
 * @returns The line; empty without values.
 */
export function sparkline(values: readonly number[], width = 60): string {
  const points = averaged(values, width);
  const [low, high] = [Math.min(...points), Math.max(...points)];
  const flat = high - low <= Math.abs(high) * 0.02;
  return points
    .map((value) => LEVELS[flat ? 3 : Math.min(LEVELS.length - 1, Math.floor(((value - low) / (high - low)) * 8))])
    .join("");
}

function averaged(values: readonly number[], width: number): number[] {
  if (values.length <= width) return [...values];
  return Array.from({ length: width }, (_, at) => {
    const part = values.slice(Math.floor((at * values.length) / width), Math.floor(((at + 1) * values.length) / width));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** A number for a table: three significant digits, whole ones from a hundred on. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}
