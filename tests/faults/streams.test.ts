/**
 * Streams that run as the published SDKs do, while the connections under them are cut, and over a restart: each message of
 * the source counts once in the state and comes out of the sink once, in order.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type postgres from "postgres";
import { Api, type Popped } from "../support/api.ts";
import { openDatabase } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { popAsSdk, registerQuery, states, streamAckOf } from "../support/streams.ts";
import { untilTime } from "../support/wait.ts";

setDefaultTimeout(120_000);

let server: TestServer;
let sql: postgres.Sql;
const api = new Api(new Http(""));

async function start(dataDir?: string): Promise<void> {
  const env = { QUEEN_ENCRYPTION_KEY: "7e".repeat(32) };
  server = await startServer({ env, ...(dataDir !== undefined && { dataDir }) });
  api.http.url = server.url;
  sql = await openDatabase(server.dataDir);
}

beforeAll(() => start());
afterAll(async () => {
  await sql?.end();
  await server?.stop();
});

/** What a stream has for a partition. */
interface Sum {
  count: number;
  sum: number;
}

/** A stream that adds up the numbers of its source, one output a message, as an SDK runs it. */
class Stream {
  readonly source = uniqueName("source");
  readonly sink = uniqueName("sink");
  queryId = "";
  readonly outcomes = { committed: 0, failed: 0, repeated: 0 };

  async begin(name = uniqueName("sum")): Promise<void> {
    await api.configure(this.source, { leaseTime: 2 });
    await api.configure(this.sink, { encryptionEnabled: true });
    this.queryId = await registerQuery(api, { name, source_queue: this.source, sink_queue: this.sink });
  }

  /** Pops and commits a cycle for each partition that came. Returns how many messages came. */
  async turn(batch: number): Promise<number> {
    const messages = await popAsSdk(api, this.source, this.queryId, { batch });
    const byPartition = Map.groupBy(messages, (message) => message.partitionId);
    await Promise.all([...byPartition.values()].map((part) => this.#cycle(part)));
    return messages.length;
  }

  async #cycle(part: Popped[]): Promise<void> {
    const at = { query_id: this.queryId, partition_id: part[0]!.partitionId };
    const rows = await this.#surely(() => states(api, { ...at, keys: ["sum"] }));
    const { count, sum } = (rows?.[0]?.value as Sum | undefined) ?? { count: 0, sum: 0 };
    let running = sum;
    const outputs = part.map((message, index) => {
      running += message.data.n;
      return { n: message.data.n, sum: running, at: count + index };
    });
    const body = {
      ...at,
      consumer_group: `streams.${this.queryId}`,
      state_ops: [{ type: "upsert", key: "sum", value: { count: count + part.length, sum: running } }],
      push_items: outputs.map((payload) => ({ queue: this.sink, partition: part[0]!.partition, payload })),
      ack: streamAckOf(part.at(-1)!, { count: part.length }),
      release_lease: true,
    };
    const answer = rows && (await this.#surely(() => this.#send(body)));
    if (!answer?.success) this.outcomes.failed += 1;
    else if (answer.push_results[0].status === "queued") this.outcomes.committed += 1;
    else this.outcomes.repeated += 1;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answer as it is.
  async #send(body: object): Promise<any> {
    const answer = await api.http.post("/streams/v1/cycle", body);
    if (answer.status >= 500) throw new Error(answer.text);
    return answer.json;
  }

  /** Three attempts, as the SDKs make them. */
  async #surely<T>(call: () => Promise<T>): Promise<T | null> {
    for (let tries = 0; tries < 3; tries++) {
      try {
        return await call();
      } catch {
        await untilTime(Date.now() + 20);
      }
    }
    return null;
  }

  /** Fails unless every number of every partition was added once, in order, and came out once. */
  async check(numbers: number, partitions: readonly string[]): Promise<void> {
    for (const partition of partitions) {
      const messages = await api.popPartition(this.sink, partition, { batch: numbers + 100 });
      const sumTo = (n: number) => (n * (n + 1)) / 2;
      const expected = Array.from({ length: numbers }, (_, n) => ({ n, sum: sumTo(n), at: n }));
      expect(messages.map((message) => message.data)).toEqual(expected);
      expect((await api.message(messages[0]!)).isEncrypted).toBe(true);
      const [source] = await api.popPartition(this.source, partition, { consumerGroup: "check" });
      const at = { query_id: this.queryId, partition_id: source!.partitionId };
      expect(await states(api, at)).toMatchObject([{ key: "sum", value: { count: numbers, sum: sumTo(numbers - 1) } }]);
    }
  }
}

async function pushNumbers(queue: string, partitions: readonly string[], from: number, to: number): Promise<void> {
  const items = partitions.flatMap((partition) =>
    Array.from({ length: to - from }, (_, n) => ({ queue, partition, payload: { n: from + n } })),
  );
  await api.push(...items);
}

const PARTITIONS = ["a", "b", "c", "d", "e", "f"];

/** After so many cuts the stream may come to its end. */
const CUTS_MAX = 15;

describe("a stream", () => {
  test("counts every message once while connections are cut under its cycles", async () => {
    const stream = new Stream();
    await stream.begin();
    await pushNumbers(stream.source, PARTITIONS, 0, 100);
    let running = true;
    let cuts = 0;
    const cutting = (async () => {
      while (running && cuts < CUTS_MAX) {
        const rows = await sql`
          select pg_terminate_backend(a.pid) from pg_stat_activity a
          where a.application_name like 'queen % ack' and a.state <> 'idle'`;
        cuts += rows.length;
        await untilTime(Date.now() + (rows.length > 0 ? 100 : 1));
      }
    })();
    const deadline = Date.now() + 60_000;
    for (let done = 0, idle = 0; idle < 3 && Date.now() < deadline; ) {
      const counts = await Promise.all([stream.turn(10), stream.turn(10)]);
      done += counts[0]! + counts[1]!;
      // Leases of cycles that were given up run out after two seconds.
      idle = counts.some((count) => count > 0) ? 0 : idle + 1;
      if (done > 100_000) throw new Error("the stream never ends");
    }
    running = false;
    await cutting;
    expect(cuts).toBeGreaterThan(5);
    await stream.check(100, PARTITIONS);
  });

  test("counts every message once while the server is killed under it", async () => {
    const stream = new Stream();
    await stream.begin();
    await pushNumbers(stream.source, PARTITIONS, 0, 150);
    let done = false;
    const runners = [1, 2].map(async () => {
      for (let idle = 0; !done || idle < 3; ) {
        const count = await stream.turn(5).catch(() => null);
        if (count === null) await untilTime(Date.now() + 20);
        else idle = count > 0 ? 0 : idle + 1;
      }
    });
    for (const pause of [150, 400, 700]) {
      await untilTime(Date.now() + pause);
      process.kill(server.pid, "SIGKILL");
      await server.exited;
      await sql.end({ timeout: 1 }).catch(() => {});
      await server.stop(true);
      await start(server.dataDir);
    }
    done = true;
    await Promise.all(runners);
    await stream.check(150, PARTITIONS);
  });

  test("goes on from its state after a restart", async () => {
    const stream = new Stream();
    const name = uniqueName("sum");
    await stream.begin(name);
    await pushNumbers(stream.source, PARTITIONS, 0, 50);
    while ((await stream.turn(200)) > 0);
    await sql.end();
    await server.stop(true);
    await start(server.dataDir);
    const same = stream.queryId;
    await stream.begin(name);
    expect(stream.queryId).toBe(same);
    await pushNumbers(stream.source, PARTITIONS, 50, 80);
    while ((await stream.turn(200)) > 0);
    expect(stream.outcomes.failed).toBe(0);
    await stream.check(80, PARTITIONS);
  });

  test("that holds messages back by a gate keeps their order", async () => {
    const stream = new Stream();
    await stream.begin();
    await pushNumbers(stream.source, ["a"], 0, 20);
    const passed: number[] = [];
    const deadline = Date.now() + 60_000;
    while (passed.length < 20 && Date.now() < deadline) {
      const messages = await popAsSdk(api, stream.source, stream.queryId);
      // The gate lets seven through; what follows stays leased until it expires.
      const through = messages.slice(0, 7);
      if (through.length === 0) continue;
      const answer = await api.http.post("/streams/v1/cycle", {
        query_id: stream.queryId,
        partition_id: through[0]!.partitionId,
        consumer_group: `streams.${stream.queryId}`,
        push_items: through.map((message) => ({ queue: stream.sink, partition: "a", payload: message.data.n })),
        ack: streamAckOf(through.at(-1)!, { count: through.length }),
        release_lease: through.length === messages.length,
      });
      expect(answer.json.success).toBe(true);
      passed.push(...through.map((message) => message.data.n));
    }
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    expect(passed).toEqual(numbers);
    expect((await api.pop(stream.sink, { batch: 100 })).map((message) => message.data)).toEqual(numbers);
  });
});
