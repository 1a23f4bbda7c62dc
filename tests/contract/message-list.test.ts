import { describe, expect, test } from "bun:test";
import { leasedAckOf, messagePath, query } from "../support/api.ts";
import { TIME_MS, UUID, UUID_V7, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

interface Listed {
  id: string;
  transactionId: string;
  partition: string;
  queue: string;
  status: string;
  queueStatus: string;
  busStatus: { consumedBy: number; totalGroups: number };
  createdAt: string;
}

const list = async (params: object): Promise<{ messages: Listed[]; mode: object }> => {
  const answer = await api.http.get(`/api/v1/messages${query(params)}`);
  expect(answer.status).toBe(200);
  return answer.json;
};

const ids = async (params: object): Promise<string[]> =>
  (await list(params)).messages.map((message) => message.transactionId);

/** Statuses by transaction id. */
const statuses = async (queue: string): Promise<Record<string, string>> =>
  Object.fromEntries((await list({ queue })).messages.map(({ transactionId, status }) => [transactionId, status]));

describe("GET /api/v1/messages", () => {
  test("has every field of the contract", async () => {
    const queue = uniqueName("seen");
    await api.configure(queue, { priority: 5 }, { namespace: "ns-seen", task: "tk-seen" });
    const traceId = crypto.randomUUID();
    const [pushed] = await api.push({ queue, partition: "c-42", payload: { n: 1 }, transactionId: "t", traceId });
    expect(await list({ queue })).toEqual({
      messages: [
        {
          id: pushed!.message_id,
          transactionId: "t",
          partitionId: expect.stringMatching(UUID),
          queuePath: `${queue}/c-42`,
          queue,
          partition: "c-42",
          namespace: "ns-seen",
          task: "tk-seen",
          status: "pending",
          queueStatus: "pending",
          busStatus: { consumedBy: 0, totalGroups: 0 },
          traceId,
          producerSub: null,
          queuePriority: 5,
          createdAt: expect.stringMatching(TIME_MS),
          leaseExpiresAt: null,
        },
      ],
      mode: { hasQueueMode: false, busGroupsCount: 0, type: "none" },
    } as unknown as Awaited<ReturnType<typeof list>>);
    expect(pushed!.message_id).toMatch(UUID_V7);
  });

  test("is empty for a queue without messages and for an unknown one", async () => {
    const queue = uniqueName("seen");
    expect(await list({ queue })).toEqual({
      messages: [],
      mode: { hasQueueMode: false, busGroupsCount: 0, type: "none" },
    });
    await api.configure(queue);
    expect((await list({ queue })).messages).toEqual([]);
  });

  test("shows the newest first and pages without overlap or gap, across segments and partitions", async () => {
    const queue = uniqueName("seen");
    const pushed: string[] = [];
    for (let request = 0; request < 6; request += 1) {
      const items = Array.from({ length: 5 }, (_, index) => ({
        queue,
        partition: `p${request % 2}`,
        payload: 1,
        transactionId: `${request}-${index}`,
      }));
      await api.push(...items);
      pushed.unshift(...items.map((item) => item.transactionId).reverse());
    }
    expect(await ids({ queue })).toEqual(pushed);
    for (const limit of [1, 4, 7, 29, 30, 31]) {
      const seen: string[] = [];
      for (let offset = 0; offset < 31; offset += limit) seen.push(...(await ids({ queue, limit, offset })));
      expect(seen).toEqual(pushed);
    }
    expect(await ids({ queue, limit: 3, offset: 28 })).toEqual(pushed.slice(28));
    expect(await ids({ queue, offset: 30 })).toEqual([]);
    const ofPartition = pushed.filter((id) => Number(id[0]) % 2 === 1);
    expect(await ids({ queue, partition: "p1" })).toEqual(ofPartition);
    expect(await ids({ queue, partition: "p1", limit: 4, offset: 6 })).toEqual(ofPartition.slice(6, 10));
    expect(await ids({ queue, partition: "none" })).toEqual([]);
  });

  test("follows the statuses of consumers without a group, filters by them, and pages what it filters", async () => {
    const queue = uniqueName("seen");
    await api.pushAll(queue, "p", ["a", "b", "c", "d", "e", "f"]);
    await api.pushAll(queue, "q", ["x", "y"]);
    const name = (letter: string) => JSON.stringify(letter);
    const all = (status: string, letters: string) => letters.split("").map((letter) => [name(letter), status] as const);
    expect(await statuses(queue)).toEqual(Object.fromEntries(all("pending", "abcdefxy")));
    const messages = await api.popPartition(queue, "p", { batch: 4 });
    // The lease is on the partition: what follows the batch waits for it too.
    expect(await statuses(queue)).toEqual(
      Object.fromEntries([...all("processing", "abcdef"), ...all("pending", "xy")]),
    );
    await api.ack(leasedAckOf(messages[0]!));
    await api.ack(leasedAckOf(messages[2]!));
    await api.ack(leasedAckOf(messages[1]!, "dlq", "bad"));
    const filtered = async (status: string) => (await ids({ queue, status })).map((id) => JSON.parse(id)).join("");
    expect(await filtered("dead_letter")).toBe("b");
    expect(await filtered("completed")).toBe("ca");
    expect(await filtered("processing")).toBe("fed");
    expect(await filtered("pending")).toBe("yx");
    expect(await ids({ queue, status: "processing", limit: 1, offset: 1 })).toEqual([name("e")]);
    expect(await ids({ queue, status: "completed", limit: 5, offset: 1 })).toEqual([name("a")]);
    expect(await ids({ queue, status: "completed", partition: "q" })).toEqual([]);
    expect(await ids({ queue, status: "processing", partition: "p", limit: 2 })).toEqual([name("f"), name("e")]);
    expect(await ids({ queue, status: "processing", partition: "q" })).toEqual([]);
    expect(await ids({ queue, status: "dead_letter", partition: "q" })).toEqual([]);
    expect(await ids({ queue, status: "dead_letter", partition: "p" })).toEqual([name("b")]);
    // Deleted ones are gone from every page.
    for (const letter of ["c", "e", "x"]) {
      const partitionId = (await list({ queue })).messages.find((row) => row.transactionId === name(letter));
      const of = { ...(partitionId as unknown as { partitionId: string }), transactionId: name(letter) };
      expect((await api.http.del(messagePath(of))).json.success).toBe(true);
    }
    expect(await filtered("completed")).toBe("a");
    expect(await filtered("processing")).toBe("fd");
    expect(await ids({ queue })).toEqual(["y", "f", "d", "b", "a"].map(name));
    expect(await ids({ queue, limit: 2, offset: 2 })).toEqual(["d", "b"].map(name));
    await api.ack(leasedAckOf(messages[3]!));
    expect(await filtered("completed")).toBe("da");
    expect(await filtered("pending")).toBe("yf");
    expect(await filtered("processing")).toBe("");
    expect((await list({ queue })).mode).toEqual({ hasQueueMode: true, busGroupsCount: 0, type: "queue" });
  });

  test("with named groups alone is completed once all have passed a message", async () => {
    const queue = uniqueName("seen");
    await api.pushAll(queue, "p", [1, 2, 3]);
    await api.popPartition(queue, "p", { consumerGroup: "a", batch: 3, autoAck: true });
    const [first] = await api.popPartition(queue, "p", { consumerGroup: "b", batch: 3 });
    await api.ack(leasedAckOf(first!));
    const { messages, mode } = await list({ queue });
    expect(mode).toEqual({ hasQueueMode: false, busGroupsCount: 2, type: "bus" });
    expect(
      messages.map(({ transactionId, status, queueStatus, busStatus }) => [
        transactionId,
        status,
        queueStatus,
        busStatus,
      ]),
    ).toEqual([
      ["3", "pending", "pending", { consumedBy: 1, totalGroups: 2 }],
      ["2", "pending", "pending", { consumedBy: 1, totalGroups: 2 }],
      ["1", "completed", "pending", { consumedBy: 2, totalGroups: 2 }],
    ]);
    expect(await ids({ queue, status: "completed" })).toEqual(["1"]);
    expect(await ids({ queue, status: "pending" })).toEqual(["3", "2"]);
    expect(await ids({ queue, status: "processing" })).toEqual([]);
    // A group that wants only what is new has nothing left of what was there before.
    await api.pop(queue, { consumerGroup: "c", subscriptionMode: "new" });
    expect(await ids({ queue, status: "completed" })).toEqual(["1"]);
    expect((await list({ queue })).messages[2]!.busStatus).toEqual({ consumedBy: 3, totalGroups: 3 });
  });

  test("beside named groups, consumers without a group decide", async () => {
    const queue = uniqueName("seen");
    await api.pushAll(queue, "p", [1, 2]);
    await api.popPartition(queue, "p", { consumerGroup: "a", batch: 2, autoAck: true });
    await api.popPartition(queue, "p", { batch: 1, autoAck: true });
    const { messages, mode } = await list({ queue });
    expect(mode).toEqual({ hasQueueMode: true, busGroupsCount: 1, type: "hybrid" });
    expect(messages.map(({ status, busStatus }) => [status, busStatus.consumedBy])).toEqual([
      ["pending", 1],
      ["completed", 1],
    ]);
  });

  test("filters by namespace under both of its names, by task, and over several queues", async () => {
    const [ns, task] = [uniqueName("ns"), uniqueName("tk")];
    const [one, two] = [uniqueName("seen"), uniqueName("seen")];
    await api.configure(one, {}, { namespace: ns, task });
    await api.configure(two, {}, { namespace: ns, task: "other" });
    for (let round = 0; round < 3; round += 1) {
      await api.pushAll(one, "p", [`${one} ${round}`]);
      await api.pushAll(two, "p", [`${two} ${round}`]);
    }
    const all = [2, 1, 0].flatMap((round) => [`"${two} ${round}"`, `"${one} ${round}"`]);
    expect(await ids({ ns })).toEqual(all);
    expect(await ids({ namespace: ns })).toEqual(all);
    expect(await ids({ ns, limit: 2, offset: 3 })).toEqual(all.slice(3, 5));
    expect(await ids({ task })).toEqual(all.filter((id) => id.includes(one)));
    expect(await ids({ ns, partition: "p", limit: 3 })).toEqual(all.slice(0, 3));
    expect(await ids({ ns, queue: two })).toEqual(all.filter((id) => id.includes(two)));
    expect(await ids({ ns, task: "none" })).toEqual([]);
    const newest = await ids({ limit: 10_000 });
    expect(newest).toEqual(expect.arrayContaining(all));
  });

  test("from is inclusive, and to reaches the end of its minute", async () => {
    const queue = uniqueName("seen");
    await api.pushAll(queue, "p", [1]);
    const [{ createdAt }] = (await list({ queue })).messages as [Listed];
    const at = Date.parse(createdAt);
    const iso = (ms: number) => new Date(ms).toISOString();
    expect(await ids({ queue, from: createdAt })).toEqual(["1"]);
    expect(await ids({ queue, from: iso(at + 1) })).toEqual([]);
    expect(await ids({ queue, to: createdAt })).toEqual(["1"]);
    expect(await ids({ queue, to: iso(Math.floor(at / 60_000) * 60_000) })).toEqual(["1"]);
    expect(await ids({ queue, to: iso(Math.floor(at / 60_000) * 60_000 - 1) })).toEqual([]);
    expect(await ids({ queue, from: iso(at + 3_600_000), to: iso(at) })).toEqual([]);
    expect(await ids({ from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z" })).toEqual([]);
    for (const status of ["pending", "completed", "dead_letter", "processing"]) {
      expect(await ids({ queue, status, to: "2020-01-02T00:00:00Z", from: "2020-01-01T00:00:00Z" })).toEqual([]);
    }
  });

  test("of encrypted and CBOR messages shows the same fields", async () => {
    const queue = uniqueName("seen");
    await api.http.postCbor("/api/v1/push", {
      items: [{ queue, partition: "p", payload: new Uint8Array([1]), transactionId: "bytes" }],
    });
    expect(await ids({ queue })).toEqual(["bytes"]);
    const answer = await api.http.getCbor(`/api/v1/messages?queue=${queue}`);
    expect(answer.json.messages[0].transactionId).toBe("bytes");
  });

  test.each([
    ["status=none", "status"],
    ["from=yesterday", "from"],
    ["to=2020-13-01", "to"],
    ["from=%2B012345-01-01T00:00:00Z", "from"],
    ["to=0000-01-01T00:00:00Z", "to"],
    [`queue=${"x".repeat(256)}`, "queue"],
    ["partition=%00", "partition"],
    ["ns=%FF", "ns"],
    ["task=%FF", "task"],
  ])("%s is refused naming the field", async (params, field) => {
    const answer = await api.http.get(`/api/v1/messages?${params}`);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toContain(field);
  });

  test.each([
    "limit=x",
    "limit=-1",
    "limit=1e9",
    "offset=-1",
    "offset=x",
    "from=9999-12-31T23:59:59Z",
    "to=0001-01-01T00:00:00Z",
  ])("%s is no server error", async (params) => {
    const queue = uniqueName("seen");
    expect((await api.http.get(`/api/v1/messages?queue=${queue}&${params}`)).status).toBe(200);
  });
});

describe("GET /api/v1/status/queues/:queue/messages", () => {
  test("is a bare array, newest first, and pages", async () => {
    const queue = uniqueName("seen");
    for (const id of [1, 2, 3]) await api.pushAll(queue, `p${id}`, [id]);
    const answer = await api.http.get(`/api/v1/status/queues/${queue}/messages`);
    expect(answer.status).toBe(200);
    expect(answer.json).toHaveLength(3);
    expect(answer.json[0]).toEqual({
      id: expect.stringMatching(UUID_V7),
      transactionId: "3",
      partitionId: expect.stringMatching(UUID),
      queuePath: `${queue}/p3`,
      queue,
      partition: "p3",
      status: "pending",
      createdAt: expect.stringMatching(TIME_MS),
    });
    const page = async (params: object) =>
      (await api.http.get(`/api/v1/status/queues/${queue}/messages${query(params)}`)).json.map(
        (row: Listed) => row.transactionId,
      );
    expect(await page({ limit: 2 })).toEqual(["3", "2"]);
    expect(await page({ limit: 2, offset: 2 })).toEqual(["1"]);
    expect(await page({ limit: 2, offset: 3 })).toEqual([]);
  });

  test("is empty for an unknown queue", async () => {
    const answer = await api.http.get(`/api/v1/status/queues/${uniqueName("none")}/messages`);
    expect([answer.status, answer.json]).toEqual([200, []]);
  });
});
