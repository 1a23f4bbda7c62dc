/**
 * Connections that are lost while the driver works with them, at random moments: each statement ends, and a pool is as good after
 * as it was before.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type postgres from "postgres";
import { openDatabase, openPool } from "../../../workers/storage/database.ts";
import { isAway } from "../../../workers/storage/failures.ts";
import { startProxy, type TcpProxy } from "../../support/proxy.ts";
import { Random, runSeed } from "../../support/random.ts";
import { until, untilTime } from "../../support/wait.ts";
import { useEngine } from "../support/engine.ts";

setDefaultTimeout(120_000);
const CONNECTIONS = 3;
const CUTS = 25;
const ROWS = 2_000;
const engine = useEngine();
let proxy: TcpProxy;

beforeAll(async () => {
  const { hosts, port } = engine.context.settings.database;
  proxy = await startProxy({ path: `${hosts[0]}/.s.PGSQL.${port}` });
});
afterAll(async () => {
  await proxy?.close();
});

const target = () => ({ ...engine.context.settings.database, hosts: ["127.0.0.1"], port: proxy.port });

/** One statement, or a few in a transaction, and what is wrong with the answer. */
const WORK: ((sql: postgres.Sql) => Promise<string | null>)[] = [
  async (sql) => {
    const rows = await sql<{ n: number }[]>`select n from generate_series(1, ${ROWS}::integer) n`;
    return rows.length === ROWS && rows[0]!.n === 1 ? null : `${rows.length} rows`;
  },
  async (sql) => {
    const [row] = await sql<{ n: number }[]>`select ${7}::integer as n`;
    return row?.n === 7 ? null : JSON.stringify(row);
  },
  async (sql) => {
    const [first, second] = await sql.begin(async (transaction) => [
      await transaction`select 1 as n`,
      await transaction`select ${2}::integer as n`,
    ]);
    return first![0]!.n === 1 && second![0]!.n === 2 ? null : JSON.stringify([first, second]);
  },
];

describe("a pool whose connections are cut", () => {
  const seed = runSeed();

  test(`again and again answers each statement, and is whole in the end (MODEL_SEED=${seed})`, async () => {
    const random = new Random(seed);
    const sql = openPool(target(), CONNECTIONS, "cut");
    const wrong: string[] = [];
    let [over, answered, lost] = [false, 0, 0];
    const work = async (kind: (typeof WORK)[number]): Promise<void> => {
      while (!over) {
        try {
          const what = await kind(sql);
          if (what !== null) wrong.push(what);
          answered += 1;
        } catch (error) {
          lost += 1;
          if (!isAway(error)) wrong.push(String(error));
        }
      }
    };
    const workers = Promise.all(Array.from({ length: 3 * CONNECTIONS }, (_, at) => work(WORK[at % WORK.length]!)));
    for (let cut = 0; cut < CUTS; cut += 1) {
      const before = answered;
      await until(() => answered > before + 5, 30_000, "answers after a cut");
      await untilTime(Date.now() + random.int(0, 30));
      proxy.cut();
    }
    over = true;
    await workers;
    expect(wrong).toEqual([]);
    expect(lost).toBeGreaterThan(0);
    // All of its connections are there: as many transactions are open at once.
    const pids = new Set<number>();
    let all = (): void => {};
    const together = new Promise<void>((resolve) => (all = resolve));
    await Promise.all(
      Array.from({ length: CONNECTIONS }, () =>
        sql.begin(async (transaction) => {
          const [row] = await transaction<{ pid: number }[]>`select pg_backend_pid() as pid`;
          if (pids.add(row!.pid).size === CONNECTIONS) all();
          await together;
        }),
      ),
    );
    await sql.end({ timeout: 30 });
  });

  test("in the middle of an answer gives the next one whole", async () => {
    const database = openDatabase(target(), 4, "half");
    const sql = database.look;
    expect(await sql`select 1 as n`).toHaveLength(1);
    for (let cut = 0; cut < 3; cut += 1) {
      const before = proxy.passed;
      proxy.slow({ bytesPerSecond: 400_000 });
      const half = sql`select n from generate_series(1, 100000) n`.then(
        () => "answered",
        (error) => (isAway(error) ? "lost" : String(error)),
      );
      await until(() => proxy.passed > before + 20_000, 30_000, "a part of the answer");
      proxy.cut();
      proxy.slow({});
      expect(await half).toBe("lost");
      const rows = await sql<{ n: number }[]>`select n from generate_series(1, 3) n`;
      expect([...rows]).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    }
    await database.close();
  });
});
