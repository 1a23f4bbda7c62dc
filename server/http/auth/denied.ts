/**
 * Why a request is not let through, as its client reads it.
 *
 * @module
 */

/** Most characters of a client's own text (an algorithm, a key id) that an answer repeats. */
const ECHO_LENGTH_MAX = 64;

/** A refusal with its status: 401 when the token is missing or bad, 403 when its role is too low, 500 when keys cannot be had. */
export class Denied extends Error {
  readonly status: 401 | 403 | 500;

  constructor(status: 401 | 403 | 500, message: string) {
    super(message);
    this.name = "Denied";
    this.status = status;
  }
}

/** Text of a client's token, fit to be repeated: printable ASCII, cut to a length. */
export function echo(text: unknown): string {
  return String(text)
    .slice(0, ECHO_LENGTH_MAX)
    .replace(/[^\x20-\x7e]/g, "?");
}
