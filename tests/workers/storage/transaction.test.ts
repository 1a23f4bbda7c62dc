/**
 * Transactions whose backend is ended under them. What the driver would do without `withSafeTransactions`, a write to a
 * connection that is gone, shows as an error between tests.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import type postgres from "postgres";
import { isAway } from "../../../workers/storage/failures.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();
beforeAll(async () => {
  await engine.sql`create table public.marks (mark text)`;
});

async function backendOf(transaction: postgres.TransactionSql): Promise<number> {
  const [row] = await transaction<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row!.pid;
}

const end = (pid: number) => engine.sql`select pg_terminate_backend(${pid}, 5000)`;
const marks = async () => (await engine.sql<{ mark: string }[]>`select mark from public.marks`).map((row) => row.mark);

/** The error a promise rejects with; fails when it does not. */
async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error("It did not reject");
    },
    (error: unknown) => error,
  );
}

describe("a transaction whose backend ends", () => {
  test("while a statement runs rejects as away, and the pool goes on", async () => {
    for (let n = 0; n < 20; n++) {
      const error = await errorOf(
        engine.database.ack.begin(async (transaction) => {
          const pid = await backendOf(transaction);
          await transaction`insert into public.marks values (${`lost ${n}`})`;
          const waiting = transaction`select pg_sleep(${60 + n})`;
          await Promise.all([waiting, end(pid)]);
        }),
      );
      expect(isAway(error)).toBe(true);
    }
    const [row] = await engine.database.ack`select 1 as one`;
    expect(row!.one).toBe(1);
    expect(await marks()).toEqual([]);
  });

  test("between statements takes none any more, not even on a connection made anew", async () => {
    let late: unknown;
    const error = await errorOf(
      engine.database.ack.begin(async (transaction) => {
        const pid = await backendOf(transaction);
        await end(pid);
        // The pool is busy with other things meanwhile, and has new connections.
        while ((await engine.database.ack`select 1`.catch(() => [])).length === 0);
        late = await errorOf((async () => await transaction`insert into public.marks values ('outside')`)());
        throw late;
      }),
    );
    expect(isAway(error)).toBe(true);
    await engine.database.ack`select 1`;
    expect(await marks()).toEqual([]);
  });

  test("does not hide what the transaction itself throws, nor its own errors", async () => {
    const own = await errorOf(
      engine.database.ack.begin(async () => {
        throw new Error("mine");
      }),
    );
    expect((own as Error).message).toBe("mine");
    const bad = await errorOf(engine.database.ack.begin((transaction) => transaction`select 1 / 0`));
    expect((bad as { code: string }).code).toBe("22012");
    await engine.database.ack.begin((transaction) => transaction`insert into public.marks values ('kept')`);
    expect(await marks()).toEqual(["kept"]);
  });
});
