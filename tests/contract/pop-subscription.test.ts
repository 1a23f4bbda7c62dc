import { describe, expect, test } from "bun:test";
import { type PopQuery, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** A queue whose partition `p` holds "old", pushed before anyone subscribed. */
async function withHistory(): Promise<string> {
  const queue = uniqueName("subscribe");
  await api.pushAll(queue, "p", ["old"]);
  return queue;
}

const all = (consumerGroup: string, more: PopQuery = {}): PopQuery => ({
  consumerGroup,
  batch: 10,
  partitions: 10,
  ...more,
});

const modes: [what: string, params: PopQuery, seesHistory: boolean][] = [
  ["no parameters", {}, true],
  ["subscriptionMode=new", { subscriptionMode: "new" }, false],
  ["subscriptionMode=new-only", { subscriptionMode: "new-only" }, false],
  ["subscriptionMode=all", { subscriptionMode: "all" }, true],
  ["subscriptionMode=from_beginning", { subscriptionMode: "from_beginning" }, true],
  ["subscriptionMode=latest", { subscriptionMode: "latest" }, true],
  ["subscriptionFrom=now", { subscriptionFrom: "now" }, false],
  ["subscriptionFrom of last year", { subscriptionFrom: "2020-01-01T00:00:00.000Z" }, true],
  ["subscriptionFrom of the future", { subscriptionFrom: new Date(Date.now() + 3_600_000).toISOString() }, false],
  ["subscriptionFrom that is no time", { subscriptionFrom: "yesterday-ish" }, true],
  ["an old timestamp with mode new", { subscriptionFrom: "2020-01-01T00:00:00Z", subscriptionMode: "new" }, true],
  ["no time with mode new", { subscriptionFrom: "no time", subscriptionMode: "new" }, false],
];

describe("subscription of a group", () => {
  test.each(modes)("%s, popping the queue", async (_what, params, seesHistory) => {
    const queue = await withHistory();
    expect(payloads(await api.pop(queue, all("g", params)))).toEqual(seesHistory ? ["old"] : []);
  });

  test.each(modes)("%s, popping the partition", async (_what, params, seesHistory) => {
    const queue = await withHistory();
    expect(payloads(await api.popPartition(queue, "p", all("g", params)))).toEqual(seesHistory ? ["old"] : []);
  });

  test.each([{ subscriptionMode: "new" }, { subscriptionMode: "new-only" }, { subscriptionFrom: "now" }])(
    "%p gets what is pushed after its first pop, in old and new partitions",
    async (params) => {
      const queue = await withHistory();
      expect(await api.pop(queue, all("g", params))).toEqual([]);
      await api.push({ queue, partition: "p", payload: "next" }, { queue, partition: "later", payload: "first" });
      expect(payloads(await api.pop(queue, all("g", params))).sort()).toEqual(["first", "next"]);
    },
  );

  test("the first wildcard pop decides: later parameters change nothing", async () => {
    const queue = await withHistory();
    await api.pop(queue, all("g", { subscriptionMode: "new" }));
    expect(await api.pop(queue, all("g"))).toEqual([]);
    expect(await api.pop(queue, all("g", { subscriptionFrom: "2020-01-01T00:00:00Z" }))).toEqual([]);
    expect(payloads(await api.pop(queue, all("h")))).toEqual(["old"]);
    await api.push({ queue, partition: "p", payload: "next" });
    expect(await api.pop(queue, all("h", { subscriptionMode: "new" }))).toEqual([]);
    expect(payloads(await api.pop(queue, all("g", { subscriptionMode: "all" })))).toEqual(["next"]);
  });

  test("a group that began with everything also sees the whole of partitions made later, whatever it says then", async () => {
    const queue = await withHistory();
    await api.pop(queue, all("g"));
    await api.push({ queue, partition: "later", payload: 1 });
    expect(payloads(await api.pop(queue, all("g", { subscriptionMode: "new" })))).toEqual([1]);
  });

  test("a timestamp starts with the message created at it", async () => {
    const queue = uniqueName("subscribe");
    for (const payload of ["a", "b", "c"]) await api.push({ queue, partition: "p", payload });
    const [, b] = await api.pop(queue, all("look"));
    expect(payloads(await api.pop(queue, all("g", { subscriptionFrom: b!.createdAt })))).toEqual(["b", "c"]);
    const after = `${b!.createdAt.slice(0, -7)}${String(Number(b!.createdAt.slice(-7, -1)) + 1).padStart(6, "0")}Z`;
    if (!after.includes("1000000")) {
      expect(payloads(await api.pop(queue, all("h", { subscriptionFrom: after })))).toEqual(["c"]);
    }
  });

  test("a timestamp with an offset is the same instant", async () => {
    const queue = uniqueName("subscribe");
    for (const payload of ["a", "b"]) await api.push({ queue, partition: "p", payload });
    const [, b] = await api.pop(queue, all("look"));
    const local = new Date(Date.parse(b!.createdAt) + 2 * 3_600_000).toISOString().replace(/\..*/, "");
    const subscriptionFrom = `${local}.${b!.createdAt.slice(-7, -1)}+02:00`;
    expect(payloads(await api.pop(queue, all("g", { subscriptionFrom })))).toEqual(["b"]);
  });

  test("does not concern queue mode", async () => {
    const queue = await withHistory();
    const params = { subscriptionMode: "new", subscriptionFrom: "now", batch: 10 };
    expect(payloads(await api.pop(queue, params))).toEqual(["old"]);
  });

  test("new skips a history in many partitions and gets exactly what comes later", async () => {
    const queue = uniqueName("subscribe");
    const partitions = Array.from({ length: 300 }, (_, n) => `p${n}`);
    await api.push(...partitions.map((partition) => ({ queue, partition, payload: "old" })));
    expect(await api.pop(queue, { consumerGroup: "g", subscriptionMode: "new" })).toEqual([]);
    const chosen = partitions.filter((_, n) => n % 50 === 0);
    await api.push(...chosen.map((partition) => ({ queue, partition, payload: partition })));
    const popped = await api.pop(queue, { consumerGroup: "g", batch: 1000, partitions: 1000 });
    expect(payloads(popped).sort()).toEqual(chosen.sort());
  });

  test("new through a partition is for that partition", async () => {
    const queue = await withHistory();
    await api.pushAll(queue, "q", ["history of q"]);
    expect(await api.popPartition(queue, "p", all("g", { subscriptionMode: "new" }))).toEqual([]);
    expect(payloads(await api.pop(queue, all("g")))).toEqual(["history of q"]);
  });
});
