import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Api, leasedAckOf, type PopQuery, payloads } from "../support/api.ts";
import { databaseSocket } from "../support/database.ts";
import { Http } from "../support/http.ts";
import { uniqueName, uuidV7 } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until, untilTime } from "../support/wait.ts";

setDefaultTimeout(60_000);

/** Two servers on one database: the first one's own. */
let servers: TestServer[] = [];
const [a, b] = [new Api(new Http("")), new Api(new Http(""))];

beforeAll(async () => {
  const first = await startServer();
  servers = [first];
  const { folder, port, user, database } = await databaseSocket(first.dataDir);
  const env = { PG_HOST: folder, PG_PORT: String(port), PG_USER: user, PG_DB: database, PG_PASSWORD: "" };
  servers.push(await startServer({ env: { ...env, NUM_WORKERS: "1" } }));
  [a.http.url, b.http.url] = [servers[0]!.url, servers[1]!.url];
});
afterAll(async () => {
  for (const server of servers.toReversed()) await server.stop();
});

const LONG: PopQuery = { wait: true, timeout: 20_000 };
const ways = [
  ["first to second", a, b],
  ["second to first", b, a],
] as const;

describe.each(ways)("two instances on one database, %s", (_way, here, there) => {
  test("a push is visible to the next pop of the other", async () => {
    const queue = uniqueName("two");
    for (let n = 0; n < 20; n++) {
      await here.push({ queue, partition: `p${n % 3}`, payload: n });
      expect(payloads(await there.pop(queue, { autoAck: true }))).toEqual([n]);
    }
  });

  test("a push wakes a poll parked at the other in well under the floor of its polling", async () => {
    const queue = uniqueName("two");
    await here.configure(queue);
    const times: number[] = [];
    for (let n = 0; n < 9; n++) {
      const waiting = there.pop(queue, { ...LONG, autoAck: true });
      for (let trip = 0; trip < 5; trip++) await there.push({ queue: "two-barrier" });
      const pushed = performance.now();
      await here.push({ queue, payload: n });
      expect(payloads(await waiting)).toEqual([n]);
      times.push(performance.now() - pushed);
    }
    expect(times.sort((x, y) => x - y)[4]!).toBeLessThan(600);
  });

  test("a lease taken here is held there, and may be extended and acked there", async () => {
    const queue = uniqueName("two");
    await here.pushAll(queue, "p", [1, 2]);
    const [message] = await here.pop(queue);
    expect(await there.pop(queue)).toEqual([]);
    const { json } = await there.http.post(`/api/v1/lease/${message!.leaseId}/extend`, { seconds: 1000 });
    expect(json.success).toBe(true);
    expect(await there.ack(leasedAckOf(message!))).toMatchObject({ success: true, leaseReleased: true });
    expect(payloads(await here.pop(queue))).toEqual([2]);
  });

  test("a lease taken here is acknowledged as a whole there", async () => {
    const queue = uniqueName("two");
    await here.push({ queue, partition: "a" }, { queue, partition: "b" }, { queue, partition: "b" });
    const [message, ...rest] = await here.pop(queue, { batch: 9, partitions: 9 });
    expect(rest).toHaveLength(2);
    const path = `/api/v1/lease/${message!.leaseId}/ack`;
    expect((await there.http.post(path, {})).json).toMatchObject({ success: true, acknowledged: 3, partitions: 2 });
    expect(await here.pop(queue, { batch: 9, partitions: 9 })).toEqual([]);
    expect((await here.http.post(path, {})).json).toMatchObject({ success: false, error: "Lease not found" });
  });

  test("a lease that expired here is known as such there", async () => {
    const queue = uniqueName("two");
    await here.configure(queue, { leaseTime: 1 });
    await here.push({ queue });
    const [message] = await here.pop(queue);
    await untilTime(Date.now() + 1_100);
    const { json } = await there.http.post(`/api/v1/lease/${message!.leaseId}/ack`, {});
    expect(json).toMatchObject({ success: false, error: "Invalid or expired lease" });
  });

  test("of concurrent pushes of an id at both exactly one wins", async () => {
    const queue = uniqueName("two");
    for (const ids of [
      [uuidV7(), uuidV7(), uuidV7()],
      ["x", "y", "z"],
    ]) {
      const items = ids.map((transactionId) => ({ queue, partition: "p", transactionId }));
      const all = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? here : there).push(...items)));
      for (const id of ids) {
        const results = all.flat().filter((result) => result.transaction_id === id);
        expect(results.filter((result) => result.status === "queued")).toHaveLength(1);
        expect(new Set(results.map((result) => result.message_id)).size).toBe(1);
      }
    }
    expect(await here.pop(queue, { batch: 100 })).toHaveLength(6);
  });

  test("an id pushed here is a duplicate there, also after much else was pushed", async () => {
    const queue = uniqueName("two");
    const [old] = await here.push({ queue, transactionId: uuidV7() });
    await there.push(...Array.from({ length: 500 }, () => ({ queue, transactionId: uuidV7() })));
    await here.push(...Array.from({ length: 500 }, () => ({ queue, transactionId: uuidV7() })));
    const [again] = await there.push({ queue, transactionId: old!.transaction_id });
    expect(again).toMatchObject({ status: "duplicate", message_id: old!.message_id });
  });

  test("options changed here are in force there within a second", async () => {
    const queue = uniqueName("two");
    await here.configure(queue, {});
    await there.push({ queue, payload: 1 });
    await here.configure(queue, { maxSize: 1 });
    await until(async () => (await there.push({ queue, payload: 2 }))[0]!.status === "failed", 1_000, "maxSize");
  });

  test("a queue deleted here and made again is the new one there, with nothing lost or kept", async () => {
    const queue = uniqueName("two");
    for (let n = 0; n < 5; n++) {
      await there.push({ queue, partition: "p", payload: "old", transactionId: "t" });
      await here.http.del(`/api/v1/resources/queues/${queue}`);
      const [pushed] = await there.push({ queue, partition: "p", payload: n, transactionId: "t" });
      expect(pushed!.status).toBe("queued");
      expect(payloads(await here.pop(queue, { batch: 10, partitions: 10 }))).toEqual([n]);
      await here.http.del(`/api/v1/resources/queues/${queue}`);
    }
  });

  test("a message deleted here is not delivered there, although it was just pushed there", async () => {
    const queue = uniqueName("two");
    const pushed = await there.pushAll(queue, "p", [1, 2, 3]);
    await here.http.del(`/api/v1/messages/${pushed[1]!.partition_id}/2`);
    expect(payloads(await there.pop(queue, { batch: 10 }))).toEqual([1, 3]);
    const [again] = await there.push({ queue, partition: "p", transactionId: "2", payload: "2 again" });
    expect(again!.status).toBe("queued");
  });
});
