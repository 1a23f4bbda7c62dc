import { describe, expect, test } from "bun:test";
import { leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { UUID, UUID_V7, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { cycle, registerQuery, states, streamAckOf } from "../support/streams.ts";
import { until } from "../support/wait.ts";

const api = useSharedServer();

/** A source with these payloads in one partition, popped by a group, and a registered query. */
async function started(values: unknown[] = [1, 2, 3], options: object = {}) {
  const queue = uniqueName("source");
  await api.configure(queue, options);
  await api.pushAll(queue, "p", values);
  const query_id = await registerQuery(api, { source_queue: queue });
  const consumer_group = `streams.${query_id}`;
  const messages = await api.pop(queue, { batch: 100, consumerGroup: consumer_group });
  const partition_id = messages[0]!.partitionId;
  const sink = uniqueName("sink");
  const at = { query_id, partition_id, consumer_group };
  return { queue, sink, messages, at, again: () => api.pop(queue, { batch: 100, consumerGroup: consumer_group }) };
}

const last = (messages: Popped[]): Popped => messages.at(-1)!;

describe("a cycle", () => {
  test("changes state, pushes and acknowledges at once, and says so", async () => {
    const { queue, sink, messages, at, again } = await started();
    const trace = crypto.randomUUID();
    const answer = await cycle(api, {
      ...at,
      state_ops: [
        { type: "upsert", key: "sum", value: { sum: 6 } },
        { type: "upsert", key: "other" },
        { type: "delete", key: "none" },
      ],
      push_items: [
        { queue: sink, partition: "o", payload: { n: 1 }, transactionId: "a", traceId: trace },
        { queue: sink, partition: "o", payload: { n: 2 } },
      ],
      ack: streamAckOf(last(messages), { status: "completed", count: 3 }),
      release_lease: true,
    });
    const pushed = (index: number, transaction_id: unknown, trace_id: unknown) => ({
      index,
      status: "queued",
      transaction_id,
      message_id: expect.stringMatching(UUID_V7),
      partition_id: expect.stringMatching(UUID),
      trace_id,
      queueName: sink,
    });
    expect(answer as unknown).toEqual({
      success: true,
      query_id: at.query_id,
      partition_id: at.partition_id,
      queueName: queue,
      state_ops_applied: 3,
      push_results: [pushed(0, "a", trace), pushed(1, expect.stringMatching(UUID), null)],
      ack_result: { success: true, count: 3, lease_released: true, dlq: false },
    });
    expect((await states(api, at)).map(({ key, value }) => ({ key, value }))).toEqual([
      { key: "other", value: {} },
      { key: "sum", value: { sum: 6 } },
    ]);
    expect(payloads(await api.pop(sink, { batch: 10 }))).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await again()).toEqual([]);
  });

  test("needs nothing but its ids", async () => {
    const { at, again, messages } = await started();
    expect(await cycle(api, { query_id: at.query_id, partition_id: at.partition_id })).toMatchObject({
      success: true,
      state_ops_applied: 0,
      push_results: [],
      ack_result: null,
    });
    expect(await again()).toEqual([]);
    await api.ackBatch(
      messages.map((message) => leasedAckOf(message, "retry")),
      at.consumer_group,
    );
    expect(await again()).toHaveLength(3);
  });

  test("takes null for every field that may be left out", async () => {
    const { at, sink } = await started();
    const item = { queue: sink, partition: null, transactionId: null, traceId: null, payload: null };
    const answer = await cycle(api, {
      ...at,
      consumer_group: null,
      state_ops: null,
      push_items: [item],
      ack: null,
      release_lease: null,
    });
    expect(answer).toMatchObject({ success: true, push_results: [{ status: "queued" }] });
    expect(payloads(await api.popPartition(sink, "Default"))).toEqual([null]);
    expect(await cycle(api, { ...at, push_items: null })).toMatchObject({ success: true, push_results: [] });
  });

  test("applies its changes of state in order", async () => {
    const { at } = await started();
    const upsert = (key: string, value: unknown) => ({ type: "upsert", key, value });
    const state_ops = [
      upsert("a", 1),
      { type: "delete", key: "a" },
      upsert("a", 2),
      upsert("b", 1),
      { type: "delete", key: "b" },
      upsert("c", 1),
      upsert("c", 2),
    ];
    expect((await cycle(api, { ...at, state_ops })).state_ops_applied).toBe(7);
    expect((await states(api, at)).map(({ key, value }) => [key, value])).toEqual([
      ["a", 2],
      ["c", 2],
    ]);
  });

  test("pushes in the order of its items, also among other partitions and more than a segment holds", async () => {
    const { at, sink } = await started();
    const partitionOf = (n: number) => (n % 10 === 0 ? "few" : "many");
    const numbers = Array.from({ length: 20_000 }, (_, n) => n);
    const push_items = numbers.map((n) => ({ queue: sink, partition: partitionOf(n), payload: n }));
    const answer = await cycle(api, { ...at, push_items });
    expect(answer.push_results.map((result) => result.index)).toEqual(numbers);
    for (const partition of ["few", "many"]) {
      const got = payloads(await api.popPartition(sink, partition, { batch: 20_000 }));
      expect(got).toEqual(numbers.filter((n) => partitionOf(n) === partition));
    }
  });

  test("shows duplicates, of what was there and within itself, and is committed all the same", async () => {
    const { at, sink, messages, again } = await started();
    const [before] = await api.push({ queue: sink, partition: "o", transactionId: "there", payload: "old" });
    const push_items = ["new", "there", "new", "more"].map((transactionId, n) => ({
      queue: sink,
      partition: "o",
      transactionId,
      payload: n,
    }));
    const answer = await cycle(api, { ...at, push_items, ack: streamAckOf(last(messages)) });
    expect(answer.success).toBe(true);
    expect(answer.push_results.map((result) => result.status)).toEqual(["queued", "duplicate", "duplicate", "queued"]);
    expect(answer.push_results[1]!.message_id).toBe(before!.message_id);
    expect(answer.push_results[2]!.message_id).toBe(answer.push_results[0]!.message_id);
    expect(payloads(await api.pop(sink, { batch: 10 }))).toEqual(["old", 0, 3]);
    expect(await again()).toEqual([]);
  });

  test("ignores a producerSub among its items", async () => {
    const { at, sink } = await started();
    await cycle(api, { ...at, push_items: [{ queue: sink, payload: 1, producerSub: "mallory" }] });
    expect((await api.pop(sink))[0]!.producerSub).toBeNull();
  });

  test("keeps payloads and states as they were written", async () => {
    const { at, sink } = await started();
    const text = '{"b":12345678901234567890,"a":1.50,"a":[ ]}';
    const body = `{"query_id":"${at.query_id}","partition_id":"${at.partition_id}","push_items":[{"queue":"${sink}","payload":${text}}],"state_ops":[{"type":"upsert","value":${text},"key":"k"}]}`;
    await api.http.postRaw("/streams/v1/cycle", body, { "content-type": "application/json" });
    expect((await api.http.get(`/api/v1/pop/queue/${sink}`)).text).toContain(`"data":${text}`);
    expect((await api.http.post("/streams/v1/state/get", at)).text).toContain(`"value":${text}`);
  });

  test("wakes a pop that waits for its sink, and one that waits for its source", async () => {
    const { queue, at, sink, messages } = await started();
    await api.configure(sink);
    const sinkPop = api.pop(sink, { wait: true, timeout: 20_000 });
    await api.pushAll(queue, "p", [4]);
    const sourcePop = api.pop(queue, { wait: true, timeout: 20_000, consumerGroup: at.consumer_group });
    await cycle(api, { ...at, push_items: [{ queue: sink, payload: "s" }], ack: streamAckOf(last(messages)) });
    expect(payloads(await sinkPop)).toEqual(["s"]);
    expect(payloads(await sourcePop)).toEqual([4]);
  });

  test("speaks CBOR, under /binary too, and byte strings survive", async () => {
    const { at, sink, messages, again } = await started();
    const bytes = new Uint8Array([0, 255, 7]);
    const answer = await api.http.postCbor("/streams/v1/cycle/binary", {
      ...at,
      state_ops: [{ type: "upsert", key: "k", value: { windowEnd: 5, blob: bytes } }],
      push_items: [{ queue: sink, payload: { bytes } }],
      ack: streamAckOf(last(messages)),
    });
    expect(answer.json).toMatchObject({ success: true, state_ops_applied: 1, push_results: [{ status: "queued" }] });
    const popped = await api.http.getCbor(`/api/v1/pop/queue/${sink}`);
    expect(new Uint8Array(popped.json.messages[0].data.bytes)).toEqual(bytes);
    const state = await api.http.postCbor("/streams/v1/state/get/binary", { ...at, ripe_at_or_before: 5 });
    expect(state.json).toMatchObject({ success: true, rows: [{ key: "k", value: { windowEnd: 5, blob: "AP8H" } }] });
    expect(await again()).toEqual([]);
  });
});

describe("the acknowledgement of a cycle", () => {
  test("moves the cursor up to and including its message, and frees the partition whatever is left", async () => {
    const { messages, at, again } = await started();
    const answer = await cycle(api, { ...at, ack: streamAckOf(messages[1]!) });
    expect(answer.ack_result).toEqual({ success: true, count: 1, lease_released: true, dlq: false });
    expect(payloads(await again())).toEqual([3]);
  });

  test("counts for queue mode without a group, or with an empty one", async () => {
    const queue = uniqueName("source");
    await api.pushAll(queue, "p", [1, 2]);
    const query_id = await registerQuery(api);
    const messages = await api.pop(queue, { batch: 1 });
    const at = { query_id, partition_id: messages[0]!.partitionId };
    await cycle(api, { ...at, consumer_group: "", ack: streamAckOf(messages[0]!) });
    const [second] = await api.pop(queue);
    expect(second!.data).toBe(2);
    await cycle(api, { ...at, ack: streamAckOf(second!) });
    expect(await api.pop(queue)).toEqual([]);
  });

  test("with release_lease false keeps the rest leased until it expires, then it comes in order", async () => {
    const { messages, at, again } = await started([1, 2, 3, 4], { leaseTime: 2 });
    const answer = await cycle(api, { ...at, ack: streamAckOf(messages[1]!, { count: 2 }), release_lease: false });
    expect(answer.ack_result).toEqual({ success: true, count: 2, lease_released: false, dlq: false });
    expect(await again()).toEqual([]);
    const rest = await until(async () => {
      const got = await again();
      return got.length > 0 && got;
    }, 10_000);
    expect(payloads(rest)).toEqual([3, 4]);
  });

  test("with release_lease false keeps the lease even when nothing is left of it", async () => {
    const { queue, messages, at, again } = await started([1], { leaseTime: 2 });
    await api.pushAll(queue, "p", [2]);
    const answer = await cycle(api, { ...at, ack: streamAckOf(last(messages)), release_lease: false });
    expect(answer.ack_result!.lease_released).toBe(false);
    expect(await again()).toEqual([]);
    const extended = await api.http.post(`/api/v1/lease/${messages[0]!.leaseId}/extend`, { seconds: 2 });
    expect(extended.json.success).toBe(true);
    const extendedAt = Date.now();
    const rest = await until(async () => {
      const got = await again();
      return got.length > 0 && got;
    }, 10_000);
    expect(payloads(rest)).toEqual([2]);
    expect(Date.now() - extendedAt).toBeGreaterThan(1900);
  });

  test("goes on under a kept lease, and frees it in the end", async () => {
    const { messages, at, again } = await started([1, 2, 3]);
    await cycle(api, { ...at, ack: streamAckOf(messages[0]!), release_lease: false });
    await cycle(api, { ...at, ack: streamAckOf(messages[1]!), release_lease: false });
    expect(await again()).toEqual([]);
    await cycle(api, { ...at, ack: streamAckOf(messages[1]!) });
    expect(payloads(await again())).toEqual([3]);
  });

  test("leaves the rest of a kept lease to other acknowledgements", async () => {
    const whole = await started([1, 2, 3]);
    await cycle(api, { ...whole.at, ack: streamAckOf(whole.messages[0]!), release_lease: false });
    const path = `/api/v1/lease/${whole.messages[0]!.leaseId}/ack`;
    expect((await api.http.post(path, {})).json).toMatchObject({ success: true, acknowledged: 2 });
    const single = await started([1, 2, 3]);
    await cycle(api, { ...single.at, ack: streamAckOf(single.messages[1]!), release_lease: false });
    expect(await api.ack(leasedAckOf(single.messages[2]!))).toMatchObject({ success: true, leaseReleased: true });
    const empty = await started([1]);
    await cycle(api, { ...empty.at, ack: streamAckOf(empty.messages[0]!), release_lease: false });
    expect(await api.ack(leasedAckOf(empty.messages[0]!, "retry"))).toMatchObject({ success: true });
    for (const { again } of [whole, single, empty]) expect(await again()).toEqual([]);
  });

  test("never moves the cursor back", async () => {
    const { messages, at, again } = await started([1, 2, 3]);
    await cycle(api, { ...at, ack: { transactionId: messages[2]!.transactionId } });
    await cycle(api, { ...at, ack: { transactionId: messages[0]!.transactionId } });
    expect(await again()).toEqual([]);
  });

  test("without a lease is accepted of a group that never popped, which it creates", async () => {
    const { queue, messages, at } = await started([1, 2, 3]);
    const consumer_group = uniqueName("other");
    const ack = { transactionId: messages[1]!.transactionId };
    expect(await cycle(api, { ...at, consumer_group, ack })).toMatchObject({ success: true });
    expect(payloads(await api.pop(queue, { batch: 10, consumerGroup: consumer_group }))).toEqual([3]);
  });

  test("leaves the lease of others alone when it names none and its message is before them", async () => {
    const { messages, at, again } = await started([1, 2, 3]);
    await cycle(api, { ...at, ack: streamAckOf(messages[0]!) });
    const held = await again();
    expect(payloads(held)).toEqual([2, 3]);
    await cycle(api, { ...at, ack: { transactionId: messages[0]!.transactionId } });
    expect(await again()).toEqual([]);
    expect(await cycle(api, { ...at, ack: streamAckOf(last(held)) })).toMatchObject({ success: true });
  });

  test.each([
    ["failed", "boom", "boom"],
    ["dlq", null, "Streaming cycle reported failure"],
  ])("of status %s dead-letters what it covers at once and frees the partition", async (status, error, text) => {
    const { queue, messages, at, again } = await started([1, 2, 3]);
    const answer = await cycle(api, { ...at, ack: streamAckOf(messages[1]!, { status, error, count: 2 }) });
    expect(answer.ack_result).toEqual({ success: true, count: 2, lease_released: true, dlq: true });
    const dead = await api.deadLetters({ queue, consumerGroup: at.consumer_group });
    expect(dead.map((letter) => letter.data).sort()).toEqual([1, 2]);
    expect(new Set(dead.map((letter) => letter.errorMessage))).toEqual(new Set([text]));
    expect(payloads(await again())).toEqual([3]);
  });

  test("of status failed dead-letters neither what was resolved before nor what was deleted", async () => {
    const { queue, messages, at } = await started([1, 2, 3]);
    await api.ack(leasedAckOf(messages[0]!));
    await api.http.del(`/api/v1/messages/${at.partition_id}/${messages[1]!.transactionId}`);
    await cycle(api, { ...at, ack: streamAckOf(messages[2]!, { status: "failed" }) });
    const dead = await api.deadLetters({ queue, consumerGroup: at.consumer_group });
    expect(dead.map((letter) => letter.data)).toEqual([3]);
  });
});
