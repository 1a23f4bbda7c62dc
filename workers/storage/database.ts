/**
 * Connections to PostgreSQL, in lanes: separate small pools for push, pop, ack, and everything that only looks, so that
 * looking never starves work.
 *
 * @module
 */

import postgres from "postgres";
import type { DatabaseTarget } from "../protocol.ts";
import { socketMaker, suspectReadOnly } from "./connect.ts";
import { passwordFor } from "./driver-socket.ts";
import { isReadOnly } from "./failures.ts";
import { LaneMeter, metered } from "./lanes.ts";
import { withSafeTransactions } from "./transaction.ts";

/** A pool, or an open transaction to take part in. */
export type Sql = postgres.Sql | postgres.TransactionSql;

/** Names of the lanes. */
export type LaneName = "push" | "pop" | "ack" | "look";

/** The pools of one worker. */
export interface Database {
  push: postgres.Sql;
  pop: postgres.Sql;
  ack: postgres.Sql;
  /** Everything off the hot path. */
  look: postgres.Sql;
  /** How busy each lane is. */
  readonly meters: Readonly<Record<LaneName, LaneMeter>>;
  /** Ends every connection after its running statement. */
  close(): Promise<void>;
}

/** PostgreSQL's text of an instant to ISO 8601 in UTC with six decimals: what the contract shows. */
function instantText(text: string): string {
  if (text === "infinity" || text === "-infinity") return text;
  const [date, time] = [text.slice(0, 10), text.slice(11)];
  const zone = time.search(/[+-]/);
  const clock = zone < 0 ? time : time.slice(0, zone);
  const point = clock.indexOf(".");
  const whole = point < 0 ? clock : clock.slice(0, point);
  const fraction = point < 0 ? "" : clock.slice(point + 1);
  return `${date}T${whole}.${fraction.padEnd(6, "0")}Z`;
}

/**
 * What the planner may do for hot statements: each looks up a few rows of tables of any size, so none may read a table whole
 * because it was small when the plan was made, nor be planned anew by each call. (Behind a pooler the functions' own settings
 * must do.)
 */
const HOT_PLANS = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  plan_cache_mode: "force_generic_plan",
};

/**
 * What the database may do about an instance that vanished without a word: its sessions hold locks that others wait for. In
 * milliseconds and seconds, as PostgreSQL has them; on a unix socket it takes no notice.
 */
const SESSION = {
  idle_in_transaction_session_timeout: 30_000,
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 20_000,
};

/**
 * A commit that the database gives up waiting to see replicated is there all the same, and would be answered as if it were
 * replicated. Whoever waits for it is told of an unknown outcome instead.
 */
function refuseUnreplicated(notice: postgres.Notice): void {
  if (notice.routine !== "SyncRepWaitForLSN") return;
  throw Object.assign(new Error("The commit was not replicated in time"), { code: "COMMIT_NOT_REPLICATED" });
}

/**
 * Opens a pool. Connections are made when first needed.
 *
 * @param connectionsMax - 1 or more.
 * @param name - Shown in `pg_stat_activity`.
 * @param hot - Whether it runs hot statements only.
 * @param doubt - As of {@link socketMaker}.
 */
export function openPool(
  target: DatabaseTarget,
  connectionsMax: number,
  name: string,
  { hot = false, doubt = () => {} }: { hot?: boolean; doubt?: () => void } = {},
): postgres.Sql {
  // A transaction pooler refuses startup parameters it does not know; without prepared statements we assume one. The
  // zone is one they know, and instants are read as UTC.
  const connection: Record<string, string | number> = { application_name: name, TimeZone: "UTC" };
  if (target.prepare) {
    connection.statement_timeout = target.statementTimeoutMs;
    connection.lock_timeout = target.lockTimeoutMs;
    connection.jit = "off";
    Object.assign(connection, SESSION);
    if (hot) Object.assign(connection, HOT_PLANS);
  }
  const sql = postgres({
    host: target.hosts[0]!,
    port: target.port,
    user: target.user,
    database: target.database,
    password: passwordFor(target),
    // The socket begins it.
    ssl: false,
    max: connectionsMax,
    prepare: target.prepare,
    fetch_types: false,
    idle_timeout: Math.ceil(target.idleTimeoutMs / 1000),
    connect_timeout: Math.max(1, Math.ceil(target.connectTimeoutMs / 1000)),
    max_lifetime: null as unknown as number,
    backoff: (retries: number) => Math.min(0.05 * 2 ** retries, 1),
    onnotice: refuseUnreplicated,
    connection,
    socket: socketMaker(target, doubt),
    types: {
      // Offsets stay far below 2^53.
      int8: { to: 20, from: [20], serialize: String, parse: Number },
      instant: { to: 1184, from: [1184], serialize: String, parse: instantText },
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>) as unknown as postgres.Sql;
  const safe = withSafeTransactions(sql);
  return target.prepare ? safe : withoutPipelining(safe);
}

/**
 * Keeps the driver from sending a statement behind another one: a pooler hands the session on when the first is done, and
 * the answer to the second reaches nobody. The driver itself waits for everything but statements without parameters, and
 * gives up a connection as "full" when this internal hook of its transactions returns nothing.
 */
function withoutPipelining(sql: postgres.Sql): postgres.Sql {
  return new Proxy(sql, {
    apply(target, self, values: unknown[]) {
      const [strings] = values;
      const bare = values.length === 1 && Array.isArray(strings) && "raw" in strings;
      if (!bare) return Reflect.apply(target as (...all: unknown[]) => unknown, self, values);
      return target.unsafe(String(strings[0]), [], { onexecute: () => {} } as postgres.UnsafeQueryOptions);
    },
  });
}

/**
 * Opens the lanes of a worker.
 *
 * @param connectionsMax - All lanes together, 4 or more.
 * @param doubt - As of {@link socketMaker}.
 */
export function openDatabase(
  target: DatabaseTarget,
  connectionsMax: number,
  name: string,
  doubt: () => void = () => {},
): Database {
  const share = Math.max(1, Math.floor((connectionsMax - 1) / 3));
  const failed = (error: unknown) => {
    if (isReadOnly(error)) suspectReadOnly(target);
  };
  const [hot, look] = [
    () => new LaneMeter(share, failed),
    new LaneMeter(Math.max(1, connectionsMax - 3 * share), failed),
  ];
  const meters = { push: hot(), pop: hot(), ack: hot(), look };
  const open = (lane: LaneName) =>
    metered(
      openPool(target, meters[lane].connectionsMax, `${name} ${lane}`, { hot: lane !== "look", doubt }),
      meters[lane],
    );
  const lanes = { push: open("push"), pop: open("pop"), ack: open("ack"), look: open("look") };
  return {
    ...lanes,
    meters,
    async close() {
      await Promise.all(Object.values(lanes).map((lane) => lane.end({ timeout: 5 })));
    },
  };
}
