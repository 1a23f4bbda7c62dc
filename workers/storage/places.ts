/**
 * Where a database listens, out of how people write it, and sockets to there.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import type { DatabaseTarget } from "../protocol.ts";

/** What a socket connects to: a host and port, or the file of a unix socket. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

/** The system asks after so long whether the other machine is still there, in milliseconds. */
const KEEP_ALIVE_MS = 10_000;

/** A name or address, with a port or without: `a`, `a:5433`, `[::1]:5433`. An address with colons and no brackets has none. */
const HOST = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/;

/**
 * Splits a host from the port that may stand behind it.
 *
 * @param text - As in {@link DatabaseTarget.hosts}.
 * @returns The host, and the port; null when there is none.
 */
export function splitPort(text: string): { host: string; port: number | null } {
  const [match, bracketed, plain, port] = text.match(HOST) ?? [];
  if (match === undefined) return { host: text.replace(/^\[(.*)\]$/, "$1"), port: null };
  return { host: bracketed ?? plain!, port: Number(port) };
}

/** @returns All places of a target, in order of preference; one or more. */
export function placesOf({ hosts, port }: DatabaseTarget): Place[] {
  return hosts.map((text) => {
    if (text.startsWith("/")) return { path: `${text}/.s.PGSQL.${port}` };
    const split = splitPort(text);
    return { host: split.host, port: split.port ?? port };
  });
}

/**
 * Opens a socket.
 *
 * @returns It, still connecting. One that the other side closes without a word fails, or the driver would try again for ever.
 */
export function openSocket(place: Place): Socket {
  const socket = connect({ ...place, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  socket.once("end", () => {
    if (socket.bytesRead > 0) return;
    socket.destroy(Object.assign(new Error("The database closed the connection unused"), { code: "ECONNRESET" }));
  });
  return socket;
}
