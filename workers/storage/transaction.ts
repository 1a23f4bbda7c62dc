/**
 * Transactions whose connection is lost in the middle.
 *
 * The driver's own answer to any failure inside a transaction is to send a rollback, also where the connection is gone: that
 * write throws outside of every promise and ends the thread. So a failure that means a lost connection is kept from it
 * until it has noticed the loss by itself, and ends the transaction for that.
 *
 * @see {@link https://github.com/porsager/postgres/issues/1208}, to be removed when that is mended.
 * @module
 */

import type postgres from "postgres";

/** How long the driver gets to notice that a connection is gone, in milliseconds. */
const NOTICE_MS_MAX = 2_000;
const LOST: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
]);

type Work = (transaction: postgres.TransactionSql) => unknown;
type Begin = (options: string | Work, work?: Work) => Promise<unknown>;

function isLost(error: unknown): boolean {
  const { code, severity, severity_local } = error as Record<string, unknown>;
  return LOST.has(String(code)) || [severity, severity_local].some((text) => text === "FATAL" || text === "PANIC");
}

/**
 * The same pool, whose transactions survive the loss of their connection: they reject, as any statement does.
 *
 * @remarks What a transaction does besides its statements goes on after a loss, up to its next statement, which throws.
 */
export function withSafeTransactions(sql: postgres.Sql): postgres.Sql {
  const driver = sql.begin.bind(sql) as unknown as Begin;
  const begin: Begin = async (options, work) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const fate = { over: false };
    const carryOut = work ?? (options as Work);
    const guarded: Work = (transaction) =>
      new Promise((resolve, reject) => {
        Promise.resolve(carryOut(untilOver(transaction, fate))).then(resolve, (error: unknown) => {
          // Once it is over there is nobody left to tell, least of all the driver.
          if (fate.over) return;
          if (isLost(error)) timer = setTimeout(reject, NOTICE_MS_MAX, error);
          else reject(error);
        });
      });
    try {
      return await (work ? driver(options, guarded) : driver(guarded));
    } finally {
      fate.over = true;
      clearTimeout(timer);
    }
  };
  return new Proxy(sql, { get: (target, name) => (name === "begin" ? begin : Reflect.get(target, name)) });
}

/** A transaction that takes no statements once it is over: the driver would carry them out on a connection made anew. */
function untilOver(transaction: postgres.TransactionSql, fate: { over: boolean }): postgres.TransactionSql {
  return new Proxy(transaction, {
    apply(target, self, values: unknown[]) {
      if (fate.over) throw Object.assign(new Error("The transaction is over"), { code: "CONNECTION_CLOSED" });
      return Reflect.apply(target as unknown as (...all: unknown[]) => unknown, self, values);
    },
  });
}
