/** What kept the embedded PostgreSQL from starting. */
export type EmbeddedErrorCode =
  /** No PostgreSQL for this machine is installed, or it cannot run here. */
  | "BINARIES_MISSING"
  /** The data folder cannot be made, reached, or written by this user. */
  | "DATA_DIR_UNWRITABLE"
  /** Another live server owns the data folder. */
  | "DATA_DIR_IN_USE"
  /** The folder was made by another major version of PostgreSQL. */
  | "DATA_DIR_OTHER_VERSION"
  /** The folder holds something that is not a database of ours. */
  | "DATA_DIR_FOREIGN"
  /** PostgreSQL itself refused; its own words are in the message. */
  | "START_FAILED";

/** An embedded PostgreSQL that could not start. The message is one sentence for a person and says what to do. */
export class EmbeddedError extends Error {
  readonly code: EmbeddedErrorCode;

  constructor(code: EmbeddedErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "EmbeddedError";
    this.code = code;
  }
}

/**
 * Reads the code of a failed system call.
 *
 * @param error - Anything that was thrown.
 * @returns The code, such as `ENOENT`, or an empty string when the value carries none.
 */
export function systemErrorCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
