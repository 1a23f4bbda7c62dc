/**
 * How busy a pool of connections is, which the driver keeps to itself.
 *
 * @module
 */

import type postgres from "postgres";

/** What a lane is at. */
export class LaneMeter {
  /** Statements and transactions handed to the driver and not answered. */
  underWay = 0;
  /** Statements that failed. */
  errors = 0;
  readonly connectionsMax: number;
  /** Told of each statement that failed. */
  readonly failed: (error: unknown) => void;

  constructor(connectionsMax: number, failed: (error: unknown) => void = () => {}) {
    this.connectionsMax = connectionsMax;
    this.failed = failed;
  }

  /** Connections with something to do. */
  get inUse(): number {
    return Math.min(this.underWay, this.connectionsMax);
  }

  /** Statements that are behind others, in the driver or on a connection. */
  get waiting(): number {
    return this.underWay - this.inUse;
  }
}

/** The part of the driver's query that runs it: internal, and the same since its version 3.0. */
interface RunnableQuery {
  handler?: (query: RunnableQuery) => void;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * A pool whose statements and transactions are counted.
 *
 * @remarks A statement counts from when the driver takes it up, so that fragments of other statements do not.
 */
export function metered(sql: postgres.Sql, meter: LaneMeter): postgres.Sql {
  const begin = async (...args: unknown[]): Promise<unknown> => {
    meter.underWay += 1;
    try {
      return await (sql.begin as unknown as (...all: unknown[]) => Promise<unknown>)(...args);
    } catch (error) {
      // What the transaction's own code threw has no code of the database's.
      if (typeof (error as { code?: unknown })?.code === "string" && (error as Error).name === "PostgresError") {
        meter.errors += 1;
        meter.failed(error);
      }
      throw error;
    } finally {
      meter.underWay -= 1;
    }
  };
  return new Proxy(sql, {
    apply(target, self, values: unknown[]) {
      const query = Reflect.apply(target as unknown as (...all: unknown[]) => RunnableQuery, self, values);
      const { handler } = query;
      if (handler !== undefined) query.handler = (running) => run(running, handler, meter);
      return query;
    },
    get(target, name) {
      return name === "begin" ? begin : Reflect.get(target, name);
    },
  });
}

function run(query: RunnableQuery, handler: (query: RunnableQuery) => void, meter: LaneMeter): void {
  const { resolve, reject } = query;
  let answered = false;
  meter.underWay += 1;
  query.resolve = (value) => {
    if (!answered) meter.underWay -= 1;
    answered = true;
    resolve(value);
  };
  query.reject = (error) => {
    // A connection that breaks may reject what it rejected before.
    if (!answered) {
      meter.underWay -= 1;
      meter.errors += 1;
      meter.failed(error);
    }
    answered = true;
    reject(error);
  };
  handler(query);
}
