/**
 * How a command ends.
 *
 * @module
 */

/** Exit codes; `docs/cli.md` lists them. */
export const Exit = {
  ok: 0,
  /** The server, or this program, could not do what was asked. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** There is nothing to show or to do: no message, no such queue. */
  nothing: 3,
  /** The server cannot be reached, or its database is away. */
  unreachable: 4,
  /** No token, a bad one, or one whose role does not suffice. */
  denied: 5,
} as const;

/** A command cannot be carried out. The message is a sentence or two for a person. */
export class CliError extends Error {
  readonly code: number;

  constructor(message: string, code: number = Exit.failed) {
    super(message);
    this.name = "CliError";
    this.code = code;
  }
}
