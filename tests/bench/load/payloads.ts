/**
 * Payloads that look like what people queue: an order with names, amounts and times, from a seed. They compress as such
 * data does, neither like a constant nor like noise.
 *
 * @module
 */

const FIRST_ORDER = 4_100_000;
const FIRST_PLACED_MS = 1_770_000_000_000;
/** Orders come in one after another, about this far apart. */
const BETWEEN_ORDERS_MS = 40;

const FIRST_NAMES =
  "Ada Bela Chidi Dana Emil Farah Goran Hana Ivo Jana Kofi Lena Milos Nadia Oskar Pia Rasmus Sara Tomas Uma Vera Yusuf".split(
    " ",
  );
const LAST_NAMES =
  "Novak Meyer Okafor Rossi Silva Tanaka Larsen Dubois Kowalski Haddad Fischer Moreau Jensen Costa Weber Nagy".split(
    " ",
  );
const CITIES =
  "Ljubljana Trieste Graz Zagreb Vienna Munich Lyon Porto Bergen Gdansk Tallinn Nantes Bologna Seville".split(" ");
const STATES = ["pending", "paid", "packed", "shipped", "returned"];
const WORDS =
  "leave at door ring twice gift wrapped fragile call before delivery second floor left entrance behind station no hurry weekend only".split(
    " ",
  );

/** Width in characters of the message number and of the producer name inside a payload. */
export const SEQUENCE_DIGITS = 8;
export const PRODUCER_CHARS = 8;

/** Text before the message number; it appears once in a payload, and nowhere else in an answer. */
export const SEQUENCE_MARK = '"seq":"';
export const PRODUCER_MARK = '"producer":"';

/**
 * Makes a source of random numbers that gives the same numbers for the same seed (mulberry32).
 *
 * @param seed - Any 32-bit integer.
 * @returns Function that gives the next number, 0 inclusive to 1 exclusive.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Builds one payload as JSON text of exactly the length wanted, in ASCII.
 *
 * @param random - Source of random numbers.
 * @param producer - Name of the producer, {@link PRODUCER_CHARS} characters or fewer.
 * @param bytes - Length of the text in bytes; at least 230.
 * @param index - Place of the message among those of its producer: its order number and time follow from it.
 * @returns JSON text of an object; its `seq` is all zeros, to be overwritten in place.
 * @throws {RangeError} when the fixed part alone is longer than `bytes`.
 */
export function buildPayload(random: () => number, producer: string, bytes: number, index: number): string {
  const pick = (list: string[]) => list[Math.floor(random() * list.length)]!;
  const placed = new Date(FIRST_PLACED_MS + Math.floor((index + random()) * BETWEEN_ORDERS_MS)).toISOString();
  // A last digit other than 0 keeps the length of the number however it is written again.
  const amount = `${Math.floor(1 + random() * 900)}.${Math.floor(random() * 10)}${Math.floor(1 + random() * 9)}`;
  const head =
    `{${SEQUENCE_MARK}${"0".repeat(SEQUENCE_DIGITS)}",${PRODUCER_MARK}${producer.padStart(PRODUCER_CHARS, "0")}",` +
    `"order":${FIRST_ORDER + index},"customer":"${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}",` +
    `"city":"${pick(CITIES)}","amount":${amount},"currency":"EUR","items":${1 + Math.floor(random() * 9)},` +
    `"state":"${pick(STATES)}","placed":"${placed}","note":"`;
  const room = bytes - head.length - 2;
  if (room < 0) throw new RangeError(`a payload needs at least ${head.length + 2} bytes, not ${bytes}`);
  let note = "";
  while (note.length < room) note += `${note === "" ? "" : " "}${pick(WORDS)}`;
  return `${head}${note.slice(0, room)}"}`;
}
