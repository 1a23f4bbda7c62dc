/**
 * What a failure of the database means, by SQLSTATE and driver code.
 *
 * @see {@link https://www.postgresql.org/docs/current/errcodes-appendix.html}
 * @module
 */

/** Rolled back for sure; the same statement may succeed at once. */
const CONFLICTS: ReadonlySet<string> = new Set(["40001", "40P01", "55P03"]);

/** The connection or the server went away: the statement may or may not have been carried out. */
const AWAY: ReadonlySet<string> = new Set([
  "57P01",
  "57P02",
  "57P03",
  "57P05",
  "25P03",
  "08000",
  "08001",
  "08003",
  "08004",
  "08006",
  "53300",
  "25006",
  "53100",
  "53200",
  "COMMIT_NOT_REPLICATED",
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "EPIPE",
  "ECONNABORTED",
  "ENETDOWN",
  "ENETUNREACH",
  "ERR_SOCKET_CLOSED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

function codeOf(error: unknown): string {
  return String((error as { code?: unknown })?.code ?? "");
}

/** Whether the server takes no writes: a standby, or a primary that was told so. */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === "25006";
}

/** Whether the statement was rolled back because of others and may be repeated. */
export function isConflict(error: unknown): boolean {
  return CONFLICTS.has(codeOf(error));
}

/** Whether the statement took too long, and was rolled back. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === "57014";
}

/** Whether the database cannot be reached, or the statement's outcome is unknown. */
export function isAway(error: unknown): boolean {
  return AWAY.has(codeOf(error)) || (error instanceof Error && error.message.startsWith("No connection to "));
}

const CONFLICT_ATTEMPTS_MAX = 3;
const CONFLICT_WAIT_MS = 100;

/**
 * Repeats a statement that lost against others: 3 attempts, after 100 and 200 milliseconds.
 *
 * @throws Whatever the last attempt threw.
 */
export async function withConflictRetry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries >= CONFLICT_ATTEMPTS_MAX || !isConflict(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, CONFLICT_WAIT_MS * tries));
    }
  }
}
