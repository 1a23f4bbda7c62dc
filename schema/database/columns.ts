/**
 * The schema of ours, and the kinds of columns its tables share.
 *
 * @module
 */

import { bigint, customType, pgSchema, timestamp, varchar } from "drizzle-orm/pg-core";

/** Schema that holds everything of ours. */
export const queen = pgSchema("queen");

/** Bytes. */
export const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });
/** A set of offsets. */
export const offsets = customType<{ data: string }>({ dataType: () => "int8multirange" });

/** A point in time, in microseconds. */
export function instant(name: string) {
  return timestamp(name, { withTimezone: true, precision: 6 });
}

/** A place in a log. */
export function offset(name: string) {
  return bigint(name, { mode: "number" });
}

/** A name as clients give it. */
export function name255(name: string) {
  return varchar(name, { length: 255 });
}
