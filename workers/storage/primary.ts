/**
 * Which of several database hosts is the primary.
 *
 * Every host is asked, over a connection of its own. A standby and a read-only server are no primary. Where two say they are
 * one, the old primary came back without having been told of its successor: a promotion begins a new timeline, so the
 * later timeline is the true one, and one that is older than what was seen before is refused even if it is alone.
 *
 * @module
 */

import type { Socket } from "node:net";
import postgres from "postgres";
import type { DatabaseTarget } from "../protocol.ts";
import { DriverSocket, passwordFor } from "./driver-socket.ts";
import { openSocket, type Place } from "./places.ts";

/** How long the others may take once one has said that it is a primary, in milliseconds. */
const OTHERS_MS = 300;
/** Least time between two doubts in one primary. */
const DOUBT_PAUSE_MS = 2_000;

/** What a primary says of itself. */
interface Primary {
  place: Place;
  /** Of the cluster: the same on a primary and its standbys; null where the server does not tell. */
  system: string | null;
  /** Grows with every promotion; 0 where the server does not tell. */
  timeline: number;
}

/** See the module comment. */
export class PrimaryFinder {
  readonly #places: readonly Place[];
  readonly #ask: (place: Place) => Promise<Primary | null>;
  #known: Primary | null = null;
  /** The latest primary of all. */
  #latest: Primary | null = null;
  #finding: Promise<Primary> | null = null;
  #doubtedAt = Number.NEGATIVE_INFINITY;

  /** @param ask - Gives what a host says of itself; null when it is no primary. Rejects when it does not answer in time. */
  constructor(places: readonly Place[], ask: (place: Place) => Promise<Primary | null>) {
    this.#places = places;
    this.#ask = ask;
  }

  /**
   * Finds the primary, or remembers it.
   *
   * @throws Error with a code that says that the database is away, when no host is one.
   */
  async primary(): Promise<Place> {
    this.#known ??= await this.#find();
    return this.#known.place;
  }

  /** A connection to this place ended: it may not be the primary any more. */
  forget(place: Place): void {
    if (this.#known?.place === place) this.#known = null;
  }

  /**
   * Asks whether another place than the remembered one is the primary now.
   *
   * @returns It, or null.
   */
  async successor(): Promise<Place | null> {
    if (performance.now() < this.#doubtedAt + DOUBT_PAUSE_MS) return null;
    this.#doubtedAt = performance.now();
    const before = this.#latest;
    const found = await this.#find().catch(() => null);
    if (found === null || found.place === before?.place) return null;
    this.#known = found;
    return found.place;
  }

  #find(): Promise<Primary> {
    this.#finding ??= this.#askAll().finally(() => (this.#finding = null));
    return this.#finding;
  }

  #askAll(): Promise<Primary> {
    return new Promise((resolve, reject) => {
      const found: Primary[] = [];
      let last: unknown = null;
      let left = this.#places.length;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const decide = (): void => {
        clearTimeout(timer);
        const best = this.#best(found);
        this.#latest = best ?? this.#latest;
        if (best === null) reject(noPrimary(last));
        else resolve(best);
      };
      const answered = (primary: Primary | null): void => {
        left -= 1;
        if (primary !== null) found.push(primary);
        if (left === 0) decide();
        else if (primary !== null) timer ??= setTimeout(decide, OTHERS_MS);
      };
      for (const place of this.#places) {
        this.#ask(place).then(answered, (error: unknown) => {
          last = error;
          answered(null);
        });
      }
    });
  }

  /** The one of the latest timeline; of equals the one that is named first. */
  #best(found: readonly Primary[]): Primary | null {
    const inOrder = this.#places.flatMap((place) => found.filter((primary) => primary.place === place));
    const latest = this.#latest;
    const current = inOrder.filter(
      (primary) => latest === null || latest.system !== primary.system || primary.timeline >= latest.timeline,
    );
    return current.toSorted((a, b) => b.timeline - a.timeline)[0] ?? null;
  }
}

function noPrimary(cause: unknown): Error {
  const error = new Error("No database host is a primary that takes writes", { cause });
  return Object.assign(error, { code: "ECONNREFUSED" });
}

const finders = new Map<string, PrimaryFinder>();

/** @returns The finder of a target: pools of this thread that have the same one share it. */
export function finderOf(target: DatabaseTarget, places: readonly Place[]): PrimaryFinder {
  const key = JSON.stringify([places, target.user, target.database]);
  let finder = finders.get(key);
  if (finder === undefined) {
    finder = new PrimaryFinder(places, (place) => askServer(target, place));
    finders.set(key, finder);
  }
  return finder;
}

/** Asks one server what it is. */
async function askServer(target: DatabaseTarget, place: Place): Promise<Primary | null> {
  const { user, database, tls, connectTimeoutMs } = target;
  const sockets: Socket[] = [];
  const sql = postgres({
    user,
    database,
    password: passwordFor(target),
    ssl: false,
    max: 1,
    prepare: false,
    fetch_types: false,
    connect_timeout: Math.max(1, Math.ceil(connectTimeoutMs / 1000)),
    onnotice: () => {},
    connection: { application_name: "queen primary" },
    socket: async () => {
      const socket = openSocket(place);
      sockets.push(socket);
      return new DriverSocket(socket, tls, "path" in place ? "" : place.host);
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The database host did not answer in time")), connectTimeoutMs);
  });
  try {
    return await Promise.race([describeServer(sql, place), late]);
  } finally {
    clearTimeout(timer);
    // To a host that says nothing there is no end but this.
    sql.end({ timeout: 1 }).finally(() => {
      for (const socket of sockets) socket.destroy();
    });
  }
}

async function describeServer(sql: postgres.Sql, place: Place): Promise<Primary | null> {
  const [state] = await sql<{ standby: boolean; read_only: string }[]>`
    select pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only`;
  if (state!.standby || state!.read_only === "on") return null;
  try {
    // The first eight digits of a file name of the log are the timeline.
    const [history] = await sql<{ system: string; timeline: string }[]>`
      select system_identifier::text as system, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as timeline
      from pg_control_system()`;
    return { place, system: history!.system, timeline: Number.parseInt(history!.timeline, 16) };
  } catch {
    // Servers that are not quite PostgreSQL, or do not let this role ask.
    return { place, system: null, timeline: 0 };
  }
}
