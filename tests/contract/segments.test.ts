import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  answerMessages,
  countMessages,
  decodeSegmentAnswer,
  type SegmentAnswer,
  type SegmentMessage,
  segmentTexts,
} from "../../schema/wire/segment-answer.ts";
import { Api, leasedAckOf, type Popped, type PopQuery, payloads, popPath, query } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { TIME_US, UUID, uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();
const ACCEPT = { accept: "application/vnd.queen.segments" };
const FORMAT_CBOR = 1;
const FORMAT_ZSTD = 2;

async function popSegments(path: string, on: Api = api): Promise<SegmentAnswer> {
  const answer = await on.http.get(path, ACCEPT);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, ACCEPT.accept]);
  return decodeSegmentAnswer(answer.bytes);
}

const popQueue = (queue: string, params: PopQuery = {}): Promise<SegmentAnswer> =>
  popSegments(popPath(queue) + query(params));
const messagesOf = (answer: SegmentAnswer): SegmentMessage[] => [...answerMessages(answer)];
const dataOf = (answer: SegmentAnswer): unknown[] => messagesOf(answer).map((message) => message.data);

/** The JSON texts of an answer, as one array. */
function textsOf(answer: SegmentAnswer): string[] {
  return answer.partitions.flatMap((partition) =>
    partition.segments.flatMap((segment) => [...segmentTexts(answer, partition, segment)]),
  );
}

/** A queue whose partition `p` has segments of these sizes, with numbers counting up. */
async function filled(...sizes: number[]): Promise<string> {
  const queue = uniqueName("segments");
  let next = 0;
  for (const size of sizes) {
    await api.pushAll(
      queue,
      "p",
      Array.from({ length: size }, () => next++),
    );
  }
  return queue;
}

describe("a pop that accepts segments", () => {
  test("gets what a JSON pop gets, from a queue, a partition, and by namespace", async () => {
    const queue = uniqueName("segments");
    await api.configure(queue, {}, { namespace: queue });
    await api.push(
      ...["ž😀", "b"].flatMap((partition) =>
        [0, 1, 2].map((n) => ({ queue, partition, payload: { n, text: "日本\u0001" }, transactionId: `t-${n}` })),
      ),
    );
    const json = await api.pop(queue, { batch: 9, partitions: 9, consumerGroup: "json" });
    const paths = [
      popPath(queue) + query({ batch: 9, partitions: 9, consumerGroup: "a" }),
      `/api/v1/pop${query({ namespace: queue, batch: 9, partitions: 9, consumerGroup: "b" })}`,
      popPath(queue, "ž😀") + query({ batch: 9, consumerGroup: "c" }),
    ];
    for (const path of paths) {
      const answer = await popSegments(path);
      expect(answer.queue).toBe(queue);
      expect(answer.leaseId).toMatch(UUID);
      const wanted = json
        .filter((message) => path !== paths[2] || message.partition === "ž😀")
        .map((message) => ({ ...message, leaseId: answer.leaseId, consumerGroup: answer.group }));
      const byPartition = (a: Popped, b: Popped) => a.partition.localeCompare(b.partition) || a.data.n - b.data.n;
      expect((messagesOf(answer) as Popped[]).sort(byPartition)).toEqual(wanted.sort(byPartition));
      expect(
        textsOf(answer)
          .map((text) => JSON.parse(text))
          .sort(byPartition),
      ).toEqual(wanted);
      expect(countMessages(answer)).toBe(wanted.length);
    }
  });

  test("gets the stored bytes: compressed where that paid, one segment a push", async () => {
    const queue = await filled(1000, 1);
    const answer = await popQueue(queue, { batch: 2000 });
    const [partition] = answer.partitions;
    expect(partition).toMatchObject({ partition: "p", firstOffset: 0, endOffset: 1001, skip: [] });
    expect(
      partition!.segments.map(({ firstOffset, messageCount, format }) => [firstOffset, messageCount, format]),
    ).toEqual([
      [0, 1000, FORMAT_ZSTD],
      [1000, 1, 0],
    ]);
    const [first] = messagesOf(answer);
    expect(partition!.segments[0]).toMatchObject({ idBase: first!.id, createdAt: expect.stringMatching(TIME_US) });
    expect(dataOf(answer)).toEqual(Array.from({ length: 1001 }, (_, n) => n));
  });

  test("cuts the segments that other pops consumed half", async () => {
    const queue = await filled(10, 10, 10);
    expect(payloads(await api.pop(queue, { batch: 7, autoAck: true }))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const answer = await popQueue(queue, { batch: 16 });
    expect(answer.partitions[0]).toMatchObject({ firstOffset: 7, endOffset: 23 });
    expect(answer.partitions[0]!.segments.map((segment) => segment.messageCount)).toEqual([10, 10, 10]);
    expect(dataOf(answer)).toEqual(Array.from({ length: 16 }, (_, n) => n + 7));
    expect(countMessages(answer)).toBe(16);
  });

  test("skips what was resolved out of turn or deleted", async () => {
    const queue = await filled(6, 6);
    const first = await api.pop(queue, { batch: 12 });
    await api.http.del(`/api/v1/messages/${first[8]!.partitionId}/${first[8]!.transactionId}`);
    const acks = [1, 2, 5, 6].map((n) => leasedAckOf(first[n]!));
    await api.ackBatch([...acks, leasedAckOf(first[0]!, "retry")]);
    const answer = await popQueue(queue, { batch: 20 });
    expect(dataOf(answer)).toEqual([0, 3, 4, 7, 9, 10, 11]);
    expect(textsOf(answer).map((text) => JSON.parse(text).data)).toEqual([0, 3, 4, 7, 9, 10, 11]);
    expect(answer.partitions[0]!.skip).toEqual([1, 3, 5, 7, 8, 9]);
    expect(countMessages(answer)).toBe(7);
  });

  test("its messages can be acknowledged one by one, in a batch, and as a lease", async () => {
    const queue = await filled(5);
    const [first] = messagesOf(await popQueue(queue)) as Popped[];
    expect(await api.ack(leasedAckOf(first!))).toMatchObject({ success: true, leaseReleased: true });
    const some = messagesOf(await popQueue(queue, { batch: 2 })) as Popped[];
    const results = await api.ackBatch(some.map((message) => leasedAckOf(message)));
    expect(results.map((result) => result.success)).toEqual([true, true]);
    const rest = await popQueue(queue, { batch: 9 });
    expect((await api.http.post(`/api/v1/lease/${rest.leaseId}/ack`, {})).json).toMatchObject({ acknowledged: 2 });
    expect(await api.pop(queue)).toEqual([]);
  });

  test("has no lease with automatic acknowledgement", async () => {
    const queue = await filled(3);
    const answer = await popQueue(queue, { batch: 9, autoAck: true });
    expect(answer.leaseId).toBe("");
    expect(messagesOf(answer).map(({ leaseId, data }) => [leaseId, data])).toEqual([0, 1, 2].map((n) => ["", n]));
    expect(await api.pop(queue)).toEqual([]);
  });

  test("waits for messages, and is empty without them", async () => {
    const queue = uniqueName("segments");
    await api.configure(queue);
    const none = await api.http.get(popPath(queue), ACCEPT);
    expect([none.status, none.bytes.length]).toEqual([204, 0]);
    const waiting = popQueue(queue, { wait: true, timeout: 20_000 });
    await api.pushAll(queue, "p", ["x"]);
    expect(dataOf(await waiting)).toEqual(["x"]);
  });

  test("gets errors as JSON", async () => {
    const answer = await api.http.get("/api/v1/pop", ACCEPT);
    expect([answer.status, answer.json]).toEqual([400, { error: "namespace or task is required" }]);
  });

  test("shares a claim with pops of other formats", async () => {
    const queue = await filled(50, 50);
    await api.push({ queue, partition: "warm" });
    const params = { batch: 10, consumerGroup: "g", autoAck: true };
    const got: unknown[] = [];
    // Pops at once pass over partitions that another one claims at that instant: some of them come back empty.
    for (let round = 0; round < 50 && got.length < 101; round++) {
      const answers = await Promise.all(
        Array.from({ length: 6 }, async (_, n) => {
          if (n % 2 === 0) return payloads(await api.pop(queue, params));
          const answer = await api.http.get(popPath(queue) + query(params), ACCEPT);
          return answer.status === 204 ? [] : dataOf(decodeSegmentAnswer(answer.bytes));
        }),
      );
      got.push(...answers.flat());
    }
    expect(got).toHaveLength(101);
    expect(new Set(got).size).toBe(101);
  });

  test("CBOR comes as it was pushed, byte strings included", async () => {
    const queue = uniqueName("segments");
    const bytes = new Uint8Array(randomBytes(300));
    const items = [bytes, { n: 1 }, null].map((payload) => ({ queue, partition: "p", payload }));
    await api.http.postCbor("/api/v1/push", { items });
    await api.pushAll(queue, "p", [{ n: 2 }]);
    const answer = await popQueue(queue, { batch: 9 });
    expect(answer.partitions[0]!.segments.map(({ format }) => format & FORMAT_CBOR)).toEqual([1, 0]);
    const [first, ...rest] = dataOf(answer);
    expect(new Uint8Array(first as Uint8Array)).toEqual(bytes);
    expect(rest).toEqual([{ n: 1 }, null, { n: 2 }]);
    expect(textsOf(answer).map((text) => JSON.parse(text).data)).toEqual([
      Buffer.from(bytes).toString("base64"),
      { n: 1 },
      null,
      { n: 2 },
    ]);
  });

  test("payloads are byte for byte what was pushed", async () => {
    const queue = uniqueName("segments");
    const payload = '{"b":1.10,"a":12345678901234567890,"b":"\\u0000\\/"}';
    await api.http.postRaw("/api/v1/push", `{"items":[{"queue":"${queue}","payload":${payload}}]}`);
    expect(textsOf(await popQueue(queue))[0]).toContain(`"data":${payload},"producerSub":null,"createdAt":"`);
  });

  test("the path that speaks CBOR goes on doing so", async () => {
    const queue = await filled(1);
    const answer = await api.http.get(`${popPath(queue)}/binary`, ACCEPT);
    expect(answer.headers.get("content-type")).toBe("application/cbor");
  });
});

describe("with encryption and without a cache", () => {
  const servers: TestServer[] = [];
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  test.each([0, 64 * 1024 * 1024])("segments leave in clear, with a cache of %d bytes", async (cache) => {
    const key = randomBytes(32).toString("hex");
    const env = { QUEEN_ENCRYPTION_KEY: key, SEGMENT_CACHE_BYTES: String(cache), NUM_WORKERS: "1" };
    const server = await startServer({ env });
    servers.push(server);
    const own = new Api(new Http(server.url));
    const queue = uniqueName("segments");
    await own.configure(queue, { encryptionEnabled: true });
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    await own.pushAll(queue, "p", numbers);
    await own.pushAll(queue, "p", ["small"]);
    for (const consumerGroup of ["a", "b"]) {
      const answer = await popSegments(popPath(queue) + query({ batch: 999, consumerGroup }), own);
      expect(dataOf(answer)).toEqual([...numbers, "small"]);
      expect(answer.partitions[0]!.segments.map((segment) => segment.format)).toEqual([FORMAT_ZSTD, 0]);
      expect(payloads(await own.pop(queue, { batch: 999, consumerGroup: `${consumerGroup}-json` }))).toHaveLength(501);
    }
  });
});
