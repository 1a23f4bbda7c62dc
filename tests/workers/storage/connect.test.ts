/**
 * Sockets to the database that is away, that says nothing, and that says goodbye at once: no statement hangs, and no
 * connection of a pool gets lost.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import type { DatabaseTarget } from "../../../workers/protocol.ts";
import { openDatabase, openPool } from "../../../workers/storage/database.ts";
import { isAway, isReadOnly } from "../../../workers/storage/failures.ts";
import { startProxy, type TcpProxy } from "../../support/proxy.ts";
import { until } from "../../support/wait.ts";
import { useEngine } from "../support/engine.ts";

setDefaultTimeout(60_000);
const engine = useEngine();
const CONNECTIONS = 2;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function proxied(change: Partial<DatabaseTarget> = {}) {
  const { hosts, port } = engine.context.settings.database;
  const proxy = await startProxy({ path: `${hosts[0]}/.s.PGSQL.${port}` });
  ends.push(() => proxy.close());
  return { proxy, sql: poolOf(proxy, change) };
}

function poolOf({ port }: Pick<TcpProxy, "port">, change: Partial<DatabaseTarget> = {}) {
  const target = { ...engine.context.settings.database, hosts: ["127.0.0.1"], port, ...change };
  const sql = openPool(target, CONNECTIONS, "proxied");
  ends.push(() => sql.end({ timeout: 0 }));
  return sql;
}

/** How a statement ended: in words when it did as it should. */
const ask = (sql: ReturnType<typeof openPool>) =>
  sql`select 1`.then(
    () => "answered",
    (error: unknown) => (isAway(error) ? "away" : String(error)),
  );

describe("a database", () => {
  test("that refuses is asked again, more often than there are connections", async () => {
    const { proxy, sql } = await proxied();
    expect(await ask(sql)).toBe("answered");
    await proxy.refuse();
    for (let time = 0; time < CONNECTIONS * 3; time += 1) expect(await ask(sql)).toBe("away");
    await proxy.open();
    expect(await Promise.all(Array.from({ length: CONNECTIONS * 2 }, () => ask(sql)))).toEqual(
      Array(CONNECTIONS * 2).fill("answered"),
    );
  });

  test("that was never there is asked again, too", async () => {
    const { proxy, sql } = await proxied();
    await proxy.refuse();
    for (let time = 0; time < CONNECTIONS * 3; time += 1) expect(await ask(sql)).toBe("away");
    await proxy.open();
    expect(await ask(sql)).toBe("answered");
  });

  test("whose connections are closed without a word is asked in measure, and each statement fails", async () => {
    let accepted = 0;
    const server = createServer((socket) => {
      accepted += 1;
      socket.on("error", () => {});
      socket.resume();
      socket.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    const sql = poolOf({ port: address.port });
    for (let time = 0; time < 4; time += 1) expect(await ask(sql)).toBe("away");
    expect(accepted).toBeLessThanOrEqual(6);
  });

  test("that accepts and says nothing is away once the time to connect is over", async () => {
    const { proxy, sql } = await proxied({ connectTimeoutMs: 1_000 });
    proxy.hold("back");
    for (let time = 0; time < CONNECTIONS + 1; time += 1) expect(await ask(sql)).toBe("away");
    proxy.release();
    await until(async () => (await ask(sql)) === "answered", 30_000, "an answer");
  });

  test("whose connections were forgotten on the way is noticed after the statement timeout", async () => {
    const { proxy, sql } = await proxied({ statementTimeoutMs: 500 });
    expect(await ask(sql)).toBe("answered");
    proxy.forget();
    const start = performance.now();
    expect(await ask(sql)).toBe("away");
    expect(performance.now() - start).toBeGreaterThan(500);
    expect(await ask(sql)).toBe("answered");
  });

  test("whose connections were all forgotten is waited for once", async () => {
    const { proxy, sql } = await proxied({ statementTimeoutMs: 500 });
    const all = () => Promise.all(Array.from({ length: CONNECTIONS }, () => sql`select pg_sleep(0.1)::text as slept`));
    await all();
    proxy.forget();
    expect(await ask(sql)).toBe("away");
    expect((await all()).length).toBe(CONNECTIONS);
  });

  test("that takes no writes any more is left for wherever its name leads", async () => {
    const database = openDatabase({ ...engine.context.settings.database }, 4, "read only");
    ends.push(() => database.close());
    const write = () =>
      database.push`create temporary table written () on commit drop`.then(() => "written", isReadOnly);
    await database.push`set default_transaction_read_only = on`;
    expect(await write()).toBe(true);
    await until(async () => (await write().catch(() => "ended")) === "written", 30_000, "a connection that writes");
  });

  test("that takes its time for a statement is waited for", async () => {
    const { sql } = await proxied({ statementTimeoutMs: 500 });
    const slow = await sql.begin(async (transaction) => {
      await transaction`set local statement_timeout = 0`;
      // Longer than a look at the sockets, shorter than the limit of silence.
      return await transaction`select pg_sleep(3)::text as slept`;
    });
    expect(slow.count).toBe(1);
  });
});
