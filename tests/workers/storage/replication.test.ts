/**
 * Two PostgreSQL, one replicating the other: which one is used, and what a commit says that was not replicated.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { DatabaseTarget } from "../../../workers/protocol.ts";
import { openPool } from "../../../workers/storage/database.ts";
import { isAway } from "../../../workers/storage/failures.ts";
import { freePort } from "../../runtime/debian-postgres.ts";
import { ReplicatedPostgres, replicationMissing } from "../../support/replicated-postgres.ts";
import { until } from "../../support/wait.ts";

setDefaultTimeout(120_000);
if (replicationMissing !== null) console.warn(`skipped: ${replicationMissing}`);

describe.skipIf(replicationMissing !== null)("two hosts", () => {
  let databases: ReplicatedPostgres;
  beforeAll(async () => {
    databases = new ReplicatedPostgres([await freePort(), await freePort()]);
    await databases.start();
  });
  afterAll(async () => {
    await databases?.close();
  });

  /** @param order - Indexes of the hosts, as they are named. */
  function pool(order: readonly number[], change: Partial<DatabaseTarget> = {}) {
    return openPool(
      {
        hosts: order.map((at) => `127.0.0.1:${databases.nodes[at]!.port}`),
        ...{ port: 1, user: "queen", password: null, database: "postgres", tls: "off", prepare: true },
        ...{ connectTimeoutMs: 2_000, idleTimeoutMs: 30_000, statementTimeoutMs: 30_000, lockTimeoutMs: 10_000 },
        ...change,
      },
      2,
      "two hosts",
    );
  }

  async function portOf(sql: ReturnType<typeof pool>): Promise<number | string> {
    try {
      const [row] = await sql<{ port: number }[]>`select inet_server_port() as port`;
      return row!.port;
    } catch (error) {
      return isAway(error) ? "away" : String(error);
    }
  }

  test("a standby that is named first is passed over", async () => {
    const sql = pool([1, 0]);
    expect(await portOf(sql)).toBe(databases.nodes[0]!.port);
    await sql.end();
  });

  test("a commit that somebody ends before it is replicated is of unknown outcome", async () => {
    const sql = pool([0, 1]);
    const operator = databases.open(0);
    await sql`create table kept (n integer)`;
    await databases.kill(1);
    const outcome = sql`insert into kept values (1)`.then(
      () => "committed",
      (error) => error.code,
    );
    await until(
      async () => {
        const ended = await operator`
          select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and query like 'insert into kept%'`;
        return ended.length > 0;
      },
      30_000,
      "a commit that waits",
    );
    expect(await outcome).toBe("COMMIT_NOT_REPLICATED");
    await operator.end();
    expect(await portOf(sql)).toBe(databases.nodes[0]!.port);
    await databases.run(1);
    await until(
      () =>
        sql`insert into kept values (2)`.then(
          () => true,
          () => false,
        ),
      30_000,
      "a replicated commit",
    );
    await sql.end();
  });

  test("the promoted one is found, and the old primary is not gone back to, even where it is alone", async () => {
    const sql = pool([0, 1]);
    expect(await portOf(sql)).toBe(databases.nodes[0]!.port);
    await databases.kill(0);
    await databases.promote();
    await until(async () => (await portOf(sql)) === databases.nodes[1]!.port, 30_000, "the new primary");
    // As it was: nobody told it that it is none any more.
    await databases.run(0);
    const other = pool([0, 1]);
    expect(await portOf(other)).toBe(databases.nodes[1]!.port);
    await databases.kill(1);
    await until(async () => (await portOf(sql)) === "away", 30_000, "the loss of the new primary");
    expect(await portOf(sql)).toBe("away");
    await databases.run(1);
    await until(async () => (await portOf(sql)) === databases.nodes[1]!.port, 30_000, "the new primary again");
    await Promise.all([sql.end(), other.end()]);
  });
});
