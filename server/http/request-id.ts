/**
 * A name for a request that client and log share.
 *
 * @module
 */

/** What may stand in a log line as it is. */
const SANE = /^[\w.:~+/=@-]{1,128}$/;

/** The client's own `X-Request-Id` when it is short and plain, else a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && SANE.test(given) ? given : crypto.randomUUID();
}
