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
  /** What the driver has of it. */
  driven: DriverSocket | null;
  place: Place;
  finder: PrimaryFinder | null;
  target: DatabaseTarget;
  /** 0: there is no limit. */
  silentMsMax: number;
  bytesRead: number;
  /** What had been written when the look before the last one that found news was taken: more than that may lack an answer. */
  answeredBytes: number;
  writtenBefore: number;
  /** What had been written when the last look that found news was taken: more than that does lack an answer. */
  writtenAtNews: number;
  /** By `performance.now()`. */
  newsAt: number;
  /** When the first look was taken that saw a lack of an answer; null: none did. */
  askedAt: number | null;
  /** It is ended for being idle, as far as can be told: that says nothing about the database. */
  retired: boolean;
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
  const driven = (socket: Socket, place: Place, lost: () => void) =>
    new DriverSocket(socket, "path" in place ? "off" : target.tls, "path" in place ? "" : place.host, lost);
  return async () => {
    try {
      const place = (await finder?.primary()) ?? places[0]!;
      const entry = open(place, finder, target, doubt);
      entry.driven = driven(entry.socket, place, () => {
        if (!entry.retired) doubt();
      });
      return entry.driven;
    } catch (error) {
      return driven(failing(error as Error), { path: "" }, doubt);
    }
  };
}

function open(place: Place, finder: PrimaryFinder | null, target: DatabaseTarget, doubt: () => void): Watched {
  const socket = openSocket(place);
  const limit = target.statementTimeoutMs;
  // Whoever ended it, the next one asks who is the primary: this server may be back in a moment, as a standby.
  socket.once("close", () => finder?.forget(place));
  socket.once("connect", () => {
    if (!answeredLately(target, socket)) doubt();
  });
  const entry: Watched = {
    socket,
    driven: null,
    place,
    finder,
    target,
    silentMsMax: limit === 0 ? 0 : limit + GRACE_MS,
    bytesRead: 0,
    answeredBytes: 0,
    writtenBefore: 0,
    writtenAtNews: 0,
    newsAt: performance.now(),
    askedAt: null,
    retired: false,
  };
  watch(entry);
  return entry;
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
    const { socket, finder } = entry;
    if (socket.destroyed || socket.closed) {
      watched.delete(entry);
      continue;
    }
    const silentMs = silence(entry, now);
    if (entry.silentMsMax > 0 && silentMs > entry.silentMsMax) endSilent(entry);
    else if (finder !== null && silentMs > DOUBT_MS) leaveFormerPrimary(finder);
  }
  if (watched.size > 0 || looking === null) return;
  clearInterval(looking);
  looking = null;
}

/** Looks at a connection. @returns For how long an answer has been lacking, as far as can be told, in milliseconds. */
function silence(entry: Watched, now: number): number {
  const { bytesRead, bytesWritten } = entry.socket;
  if (bytesRead !== entry.bytesRead) {
    entry.bytesRead = bytesRead;
    entry.answeredBytes = entry.writtenBefore;
    entry.writtenAtNews = bytesWritten;
    entry.newsAt = now;
    entry.askedAt = null;
  }
  entry.writtenBefore = bytesWritten;
  if (entry.driven?.isAsking || bytesWritten > entry.writtenAtNews) entry.askedAt ??= now;
  if (entry.askedAt !== null) return now - entry.askedAt;
  return bytesWritten > entry.answeredBytes ? now - entry.newsAt : 0;
}

/**
 * Ends a connection that fell silent. Where an answer lacks for sure, all others of the same database end with it from which nothing has
 * come since: where the network has forgotten one it has forgotten them, and each would be waited for in its turn.
 */
async function endSilent(silent: Watched): Promise<void> {
  const { askedAt, target, socket } = silent;
  silent.retired = askedAt === null;
  if (askedAt !== null) {
    const heard = (entry: Watched) => entry.newsAt > askedAt || entry.socket.bytesRead > entry.bytesRead;
    const others = [...watched].filter((entry) => entry !== silent && entry.target === target && !heard(entry));
    // Who waits for the silent one may ask again at once, and should not meet one of the others.
    await Promise.all(others.map((other) => ended(other.socket)));
  }
  socket.destroy();
}

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    socket.once("close", () => resolve());
    socket.destroy();
  });
}

let suspectedAt = Number.NEGATIVE_INFINITY;

/**
 * A server takes no writes, though it did when it was connected to: the primary may be another one by now. Connections to it are ended when
 * one of several hosts is, or at once where there is one name only, which may lead elsewhere now.
 */
export function suspectReadOnly(target: DatabaseTarget): void {
  if (performance.now() < suspectedAt + SAME_MS) return;
  suspectedAt = performance.now();
  for (const { target: of, finder, socket } of watched) {
    if (of !== target) continue;
    if (finder !== null) {
      leaveFormerPrimary(finder);
      return;
    }
    socket.destroy();
  }
}

/** Asks who is the primary, and ends what goes to a host that another one has followed. */
async function leaveFormerPrimary(finder: PrimaryFinder): Promise<void> {
  const successor = await finder.successor();
  if (successor === null) return;
  for (const entry of watched) if (entry.finder === finder && entry.place !== successor) entry.socket.destroy();
}
