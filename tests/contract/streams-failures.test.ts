import { describe, expect, test } from "bun:test";
import { leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { cycle, registerQuery, states, streamAckOf } from "../support/streams.ts";

const api = useSharedServer();
const GROUP = "streams.failing";

/** Three messages under a lease, a query, and a full sink. */
async function started() {
  const queue = uniqueName("source");
  await api.pushAll(queue, "p", [1, 2, 3]);
  const messages = await api.pop(queue, { batch: 3, consumerGroup: GROUP });
  const full = uniqueName("full");
  await api.configure(full, { maxSize: 1 });
  await api.push({ queue: full });
  const query_id = await registerQuery(api);
  return { queue, messages, full, query_id, partition_id: messages[0]!.partitionId };
}

type Started = Awaited<ReturnType<typeof started>>;

/** What makes a good cycle fail, and the text. */
const failures: [what: string, fault: (at: Started, last: Popped) => object, error: string | RegExp][] = [
  ["ack without an id", () => ({ ack: {} }), "ack.transactionId is required"],
  ["ack with an empty id", () => ({ ack: { transactionId: "" } }), "ack.transactionId is required"],
  ["unknown message", () => ({ ack: { transactionId: "nobody" } }), "Message not found"],
  [
    "unknown message under the lease",
    (_, last) => ({ ack: streamAckOf(last, { transactionId: "nobody" }) }),
    "Message not found",
  ],
  ["unknown partition", () => ({ partition_id: crypto.randomUUID() }), "Message not found"],
  ["unknown partition and no ack", () => ({ partition_id: crypto.randomUUID(), ack: null }), "Partition not found"],
  [
    "another lease",
    (_, last) => ({ ack: streamAckOf(last, { leaseId: crypto.randomUUID() }) }),
    "Invalid or expired lease",
  ],
  ["no lease id at all", (_, last) => ({ ack: streamAckOf(last, { leaseId: "x" }) }), "Invalid or expired lease"],
  ["the lease of another group", () => ({ consumer_group: "nobody" }), "Invalid or expired lease"],
  ["unknown status", (_, last) => ({ ack: streamAckOf(last, { status: "perhaps" }) }), "Unknown ack.status: perhaps"],
  ["status retry", (_, last) => ({ ack: streamAckOf(last, { status: "retry" }) }), "Unknown ack.status: retry"],
  ["unknown state op", () => ({ state_ops: [{ type: "add", key: "k" }] }), "Unknown state_op type: add"],
  ["state op without a type", () => ({ state_ops: [{ key: "k" }] }), "Unknown state_op type: null"],
  ["unknown query with state", () => ({ query_id: crypto.randomUUID() }), /^Unknown query_id/],
  ["full sink", ({ full }) => ({ push_items: [{ queue: uniqueName("sink") }, { queue: full }] }), /full.*maxSize/],
];

describe("a cycle that fails", () => {
  test.each(failures)("because of %s applies nothing", async (_what, fault, error) => {
    const at = await started();
    const sink = uniqueName("sink");
    const last = at.messages.at(-1)!;
    const good = {
      query_id: at.query_id,
      partition_id: at.partition_id,
      consumer_group: GROUP,
      state_ops: [{ type: "upsert", key: "k", value: 1 }],
      push_items: [{ queue: sink, payload: 1, transactionId: "t" }],
      ack: streamAckOf(last),
    };
    const answer = await cycle(api, { ...good, ...fault(at, last) });
    expect(answer).toMatchObject({ success: false, state_ops_applied: 0, push_results: [], ack_result: null });
    if (typeof error === "string") expect(answer.error).toBe(error);
    else expect(answer.error).toMatch(error);
    expect(await states(api, good)).toEqual([]);
    expect(await api.pop(sink)).toEqual([]);
    expect(await api.pop(at.queue, { consumerGroup: GROUP })).toEqual([]);
    // The same lease still serves, and the ids of the sink are free.
    expect(await cycle(api, good)).toMatchObject({ success: true, push_results: [{ status: "queued" }] });
    expect(payloads(await api.pop(sink))).toEqual([1]);
    expect(await api.pop(at.queue, { consumerGroup: GROUP })).toEqual([]);
  });

  test("under a lease that was given back changes nothing", async () => {
    const { queue, messages, query_id, partition_id } = await started();
    await api.ack(leasedAckOf(messages[0]!, "retry"));
    const [first] = await api.pop(queue, { consumerGroup: GROUP });
    const late = { query_id, partition_id, consumer_group: GROUP, ack: streamAckOf(messages[2]!) };
    expect(await cycle(api, late)).toMatchObject({ success: false, error: "Invalid or expired lease" });
    expect((await api.ack(leasedAckOf(first!))).success).toBe(true);
    expect(payloads(await api.pop(queue, { consumerGroup: GROUP, batch: 10 }))).toEqual([2, 3]);
  });

  test("because of an unknown message leaves no group behind", async () => {
    const { query_id, partition_id } = await started();
    const consumer_group = uniqueName("group");
    const said = { query_id, partition_id, consumer_group, ack: { transactionId: "nobody" } };
    expect(await cycle(api, said)).toMatchObject({ success: false, error: "Message not found" });
    expect((await api.http.get(`/api/v1/consumer-groups/${consumer_group}`)).json).toEqual({});
  });

  test("an unknown query without state is none of its business", async () => {
    const { queue, messages, partition_id } = await started();
    const query_id = crypto.randomUUID();
    const said = { query_id, partition_id, consumer_group: GROUP, ack: streamAckOf(messages[2]!) };
    expect(await cycle(api, said)).toMatchObject({ success: true, query_id });
    expect(await api.pop(queue, { consumerGroup: GROUP })).toEqual([]);
  });
});

describe("a cycle sent again", () => {
  test.each([true, false])(
    "under its lease (release_lease %j) is known, and changes nothing twice",
    async (release) => {
      const { queue, messages, query_id, partition_id } = await started();
      const sink = uniqueName("sink");
      const body = {
        query_id,
        partition_id,
        consumer_group: GROUP,
        state_ops: [{ type: "upsert", key: "k", value: 1 }],
        push_items: [
          { queue: sink, payload: 1 },
          { queue: sink, payload: 2, transactionId: "t" },
        ],
        ack: streamAckOf(messages[1]!, { count: 2 }),
        release_lease: release,
      };
      const answers = await Promise.all(Array.from({ length: 5 }, () => cycle(api, body)));
      expect(answers.map((answer) => answer.success)).toEqual([true, true, true, true, true]);
      const fresh = answers.filter((answer) => answer.push_results[0]!.status === "queued");
      expect(fresh).toHaveLength(1);
      expect(answers.every((answer) => answer.ack_result!.count === 2 && answer.state_ops_applied === 1)).toBe(true);
      expect(answers.every((answer) => answer.ack_result!.lease_released === release)).toBe(true);
      expect(payloads(await api.pop(sink, { batch: 10 }))).toEqual([1, 2]);
      const rest = payloads(await api.pop(queue, { consumerGroup: GROUP, batch: 10 }));
      expect(rest).toEqual(release ? [3] : []);
    },
  );

  test("without an acknowledgement is another cycle", async () => {
    const { query_id, partition_id } = await started();
    const sink = uniqueName("sink");
    const body = { query_id, partition_id, push_items: [{ queue: sink, payload: "tick" }] };
    for (let n = 0; n < 2; n++) {
      expect((await cycle(api, body)).push_results).toMatchObject([{ status: "queued" }]);
    }
    expect(payloads(await api.pop(sink, { batch: 10 }))).toEqual(["tick", "tick"]);
  });
});

describe("cycles at the same time", () => {
  test("of one query and partition follow one another: one of those under a lease wins", async () => {
    const { messages, query_id, partition_id } = await started();
    const sink = uniqueName("sink");
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        cycle(api, {
          query_id,
          partition_id,
          consumer_group: GROUP,
          state_ops: [{ type: "upsert", key: "winner", value: n }],
          push_items: [{ queue: sink, payload: n }],
          ack: streamAckOf(messages[2]!),
        }),
      ),
    );
    const won = answers.flatMap((answer, n) => (answer.success ? [n] : []));
    expect(won).toHaveLength(1);
    expect(payloads(await api.pop(sink, { batch: 10 }))).toEqual(won);
    expect(await states(api, { query_id, partition_id })).toMatchObject([{ value: won[0] }]);
  });

  test("of many partitions, with sinks crosswise, all come through", async () => {
    const queue = uniqueName("cross");
    const partitions = ["a", "b", "c", "d"];
    await api.push(...partitions.map((partition) => ({ queue, partition, payload: partition })));
    const query_id = await registerQuery(api);
    const messages = await api.pop(queue, { batch: 10, partitions: 4, consumerGroup: GROUP });
    expect(messages).toHaveLength(4);
    const answers = await Promise.all(
      messages.flatMap((message) =>
        Array.from({ length: 5 }, (_, n) =>
          cycle(api, {
            query_id,
            partition_id: message.partitionId,
            state_ops: [{ type: "upsert", key: `k${n}`, value: n }],
            push_items: partitions.map((partition) => ({ queue, partition, payload: n })),
          }),
        ),
      ),
    );
    expect(answers.filter((answer) => !answer.success)).toEqual([]);
    for (const message of messages) {
      expect(await states(api, { query_id, partition_id: message.partitionId })).toHaveLength(5);
      await cycle(api, {
        query_id,
        partition_id: message.partitionId,
        consumer_group: GROUP,
        ack: streamAckOf(message),
      });
    }
    expect(await api.pop(queue, { batch: 1000, partitions: 4, consumerGroup: GROUP })).toHaveLength(80);
  });
});
