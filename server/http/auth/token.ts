/**
 * Where a request carries its token.
 *
 * @module
 */

/**
 * The token of a request: from `Authorization`, with the word `Bearer` or without. Browsers cannot set that header on a
 * WebSocket, so only the request that opens one may carry the token as the query parameter `token` instead.
 *
 * @returns Null when there is none.
 */
export function tokenOf(request: Request): string | null {
  const header = request.headers.get("authorization");
  if (header !== null) return header.slice(schemeLength(header)).trim() || null;
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return null;
  return new URL(request.url).searchParams.get("token") || null;
}

function schemeLength(header: string): number {
  return /^\s*bearer(?=\s|$)/i.exec(header)?.[0].length ?? 0;
}
