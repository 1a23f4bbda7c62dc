/**
 * Lays out rows as an aligned table of plain text.
 *
 * @module
 */

/** A column: its heading, and whether its cells are numbers, which align to the right. */
export interface Column {
  heading: string;
  numeric: boolean;
}

/**
 * Lays out a table.
 *
 * @param columns - In order.
 * @param rows - Cells by column; missing ones are empty.
 * @returns Lines without trailing spaces, heading first.
 */
export function layOutTable(columns: Column[], rows: string[][]): string {
  const widths = columns.map((column, index) =>
    Math.max(column.heading.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const line = (cells: string[]) =>
    columns
      .map((column, index) =>
        column.numeric ? (cells[index] ?? "").padStart(widths[index]!) : (cells[index] ?? "").padEnd(widths[index]!),
      )
      .join("  ")
      .trimEnd();
  return [
    line(columns.map((column) => column.heading)),
    widths.map((width) => "-".repeat(width)).join("  "),
    ...rows.map(line),
  ].join("\n");
}

/**
 * Writes a number for reading: three significant digits below a thousand, grouped digits above.
 *
 * @param value - Any number; null for "not measured".
 * @returns Text; `-` for null.
 */
export function formatNumber(value: number | null): string {
  if (value === null) return "-";
  if (value === 0) return "0";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}
