/**
 * Sockets to the database: how they are opened, to which of several hosts, and what becomes of those that fall silent.
 *
 * The driver gets its sockets from here because it leaves three things undone. It does not turn off Nagle's delay. It waits
 * without end for a connection that neither answers nor breaks. And it asks again without a pause where its greeting is
 * met by a closed connection.
 *
 * @module
 */

import { Socket } from "node:net";
import type { DatabaseTarget } from "../protocol.ts";
import { DriverSocket } from "./driver-socket.ts";
import { openSocket, type Place, placesOf } from "./places.ts";
import { finderOf, type PrimaryFinder } from "./primary.ts";

/** How often sockets are looked at. */
const LOOK_MS = 1_000;
/** PostgreSQL ends a statement itself after the statement timeout, and gets so long to say so. */
const GRACE_MS = 5_000;
/** A database that has answered on some connection within this time is the one that new connections lead to. */
const SAME_MS = 2_000;
/** With several hosts: after so long it is asked whether another one is the primary now. */
const DOUBT_MS = 5_000;

/** A socket, and when something came of it last. */
interface Watched {
  socket: Socket;
  place: Place;
  finder: PrimaryFinder | null;
  target: DatabaseTarget;
  /** 0: there is no limit. */
  silentMsMax: number;
  bytesRead: number;
  /** What had been written when the look before the last one that found news was taken: more than that may lack an answer. */
  answeredBytes: number;
  writtenBefore: number;
  /** By `performance.now()`. */
  newsAt: number;
}

const watched = new Set<Watched>();
let looking: ReturnType<typeof setInterval> | null = null;

/**
 * Makes what the driver opens its sockets with.
 *
 * @param target - With several hosts, sockets go to the one that is the primary ({@link PrimaryFinder}).
 * @param doubt - Called when the next answers may come from another server, or from one that lost what it had committed: a
 * connection was lost, or one was made after a silence. What is remembered of rows may be wrong then.
 * @returns Gives a socket that is connecting. It never rejects: failing is for the socket to tell, or the driver loses count of its
 * connections.
 */
export function socketMaker(target: DatabaseTarget, doubt: () => void): () => Promise<DriverSocket> {
  const places = placesOf(target);
  const finder = places.length === 1 ? null : finderOf(target, places);
  const driven = (socket: Socket, place: Place) =>
    new DriverSocket(socket, "path" in place ? "off" : target.tls, "path" in place ? "" : place.host, doubt);
  return async () => {
    try {
      const place = (await finder?.primary()) ?? places[0]!;
      return driven(open(place, finder, target, doubt), place);
    } catch (error) {
      return driven(failing(error as Error), { path: "" });
    }
  };
}

function open(place: Place, finder: PrimaryFinder | null, target: DatabaseTarget, doubt: () => void): Socket {
  const socket = openSocket(place);
  const limit = target.statementTimeoutMs;
  socket.once("connect", () => {
    if (!answeredLately(target, socket)) doubt();
  });
  watch({
    socket,
    place,
    finder,
    target,
    silentMsMax: limit === 0 ? 0 : limit + GRACE_MS,
    bytesRead: 0,
    answeredBytes: 0,
    writtenBefore: 0,
    newsAt: performance.now(),
  });
  return socket;
}

/** Whether a database has answered on another connection than this one within {@link SAME_MS}. */
function answeredLately(target: DatabaseTarget, except: Socket): boolean {
  const since = performance.now() - SAME_MS;
  for (const entry of watched) {
    const { socket, bytesRead, newsAt } = entry;
    if (entry.target !== target || socket === except || socket.destroyed) continue;
    if (socket.bytesRead > bytesRead || (bytesRead > 0 && newsAt > since)) return true;
  }
  return false;
}

/** A socket that fails as soon as it is listened to. */
function failing(error: Error): Socket {
  const socket = new Socket();
  process.nextTick(() => socket.destroy(error));
  return socket;
}

function watch(entry: Watched): void {
  watched.add(entry);
  if (looking !== null) return;
  looking = setInterval(look, LOOK_MS);
  looking.unref?.();
}

/** Ends sockets that have been silent for longer than any statement may take. */
function look(): void {
  const now = performance.now();
  for (const entry of watched) {
    const { socket, finder, place } = entry;
    if (socket.destroyed || socket.closed) {
      watched.delete(entry);
      // Whoever ended it, the next one asks who is the primary.
      finder?.forget(place);
      continue;
    }
    const { bytesRead, bytesWritten } = socket;
    if (bytesRead !== entry.bytesRead) {
      entry.bytesRead = bytesRead;
      entry.answeredBytes = entry.writtenBefore;
      entry.newsAt = now;
    }
    entry.writtenBefore = bytesWritten;
    const silentMs = bytesWritten > entry.answeredBytes ? now - entry.newsAt : 0;
    if (entry.silentMsMax > 0 && silentMs > entry.silentMsMax) socket.destroy();
    else if (finder !== null && silentMs > DOUBT_MS) leaveFormerPrimary(finder);
  }
  if (watched.size > 0 || looking === null) return;
  clearInterval(looking);
  looking = null;
}

/** Asks who is the primary, and ends what goes to a host that another one has followed. */
async function leaveFormerPrimary(finder: PrimaryFinder): Promise<void> {
  const successor = await finder.successor();
  if (successor === null) return;
  for (const entry of watched) if (entry.finder === finder && entry.place !== successor) entry.socket.destroy();
}
