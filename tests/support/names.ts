/**
 * Names and ids that no other test uses.
 *
 * @module
 */

let counter = 0;
const run = Math.random().toString(36).slice(2, 8);

/**
 * @param stem - Readable beginning, `[A-Za-z0-9_-]`.
 * @returns `<stem>-<run>-<n>`: unique in this run and, with the random part, on a reused database.
 */
export function uniqueName(stem: string): string {
  counter += 1;
  return `${stem}-${run}-${counter}`;
}

/**
 * A version 7 UUID as published clients make them.
 *
 * @param epochMs - The instant in its first 48 bits, in milliseconds since 1970.
 * @returns Lower-case text of 36 characters.
 */
export function uuidV7(epochMs: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(epochMs / 65536));
  view.setUint16(4, epochMs % 65536);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toHex();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Shape of any UUID. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Shape of a version 7 UUID. */
export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Timestamp in milliseconds. */
export const TIME_MS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** Timestamp in microseconds, as in a popped `createdAt`. */
export const TIME_US = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
