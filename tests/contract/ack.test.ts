import { describe, expect, test } from "bun:test";
import { ackOf, leasedAckOf, type Popped, payloads } from "../support/api.ts";
import { uniqueName, uuidV7 } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** A queue with these options and these payloads in partition `p`. */
async function filled(payloadsToPush: unknown[], options: object = {}): Promise<string> {
  const queue = uniqueName("ack");
  await api.configure(queue, options);
  await api.pushAll(queue, "p", payloadsToPush);
  return queue;
}

describe("POST /api/v1/ack", () => {
  test("answers an array of one with every field", async () => {
    const queue = await filled([1]);
    const [message] = await api.pop(queue);
    const answer = await api.http.post("/api/v1/ack", leasedAckOf(message!));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual([
      {
        index: 0,
        transactionId: "1",
        success: true,
        error: null,
        queueName: queue,
        partitionName: "p",
        leaseReleased: true,
        dlq: false,
      },
    ]);
  });

  test.each([["completed"], ["success"], [undefined], [null]])("status %p completes", async (status) => {
    const queue = await filled([1, 2]);
    const [message] = await api.pop(queue);
    const { transactionId, partitionId, leaseId } = message!;
    expect(await api.ack({ transactionId, partitionId, leaseId, status })).toMatchObject({ success: true });
    expect(payloads(await api.pop(queue))).toEqual([2]);
  });

  test("keeps the lease until the last message of the batch", async () => {
    const queue = await filled([1, 2, 3, 4]);
    const batch = await api.pop(queue, { batch: 3 });
    expect(await api.ack(leasedAckOf(batch[0]!))).toMatchObject({ success: true, leaseReleased: false });
    expect(await api.ack(leasedAckOf(batch[1]!))).toMatchObject({ success: true, leaseReleased: false });
    expect(await api.pop(queue)).toEqual([]);
    expect(await api.ack(leasedAckOf(batch[2]!))).toMatchObject({ success: true, leaseReleased: true });
    expect(payloads(await api.pop(queue))).toEqual([4]);
  });

  test("only the group that is named moves on", async () => {
    const queue = await filled([1]);
    const [mine] = await api.pop(queue, { consumerGroup: "mine" });
    await api.pop(queue, { consumerGroup: "theirs" });
    expect(await api.ack(leasedAckOf(mine!))).toMatchObject({ success: true, leaseReleased: true });
    expect(await api.pop(queue, { consumerGroup: "mine" })).toEqual([]);
    expect(payloads(await api.pop(queue, { consumerGroup: "fresh" }))).toEqual([1]);
  });

  const strangers: [what: string, change: (message: Popped) => object, error: string][] = [
    ["an unknown transaction id", () => ({ transactionId: "nobody" }), "Message not found"],
    ["an unknown partition id", () => ({ partitionId: crypto.randomUUID() }), "Message not found"],
    ["a partition id that is no UUID", () => ({ partitionId: "p" }), "Message not found"],
    ["an unknown lease id", () => ({ leaseId: crypto.randomUUID() }), "Invalid or expired lease"],
    ["a lease id that is no UUID", () => ({ leaseId: "lease" }), "Invalid or expired lease"],
    ["the lease of another group", () => ({ consumerGroup: "other" }), "Invalid or expired lease"],
  ];
  test.each(strangers)("refuses %s without effect", async (_what, change, error) => {
    const queue = await filled([1]);
    const [message] = await api.pop(queue);
    expect(await api.ack({ ...leasedAckOf(message!), ...change(message!) })).toMatchObject({ success: false, error });
    expect(await api.ack(leasedAckOf(message!))).toMatchObject({ success: true, leaseReleased: true });
  });

  test("a failure of an unknown message leaves no group behind", async () => {
    const queue = await filled([1]);
    const [message] = await api.pop(queue);
    const consumerGroup = uniqueName("group");
    const { partitionId } = message!;
    const said = { transactionId: "nobody", partitionId, consumerGroup, status: "failed" };
    expect(await api.ack(said)).toMatchObject({ success: false, error: "Message not found" });
    expect((await api.http.get(`/api/v1/consumer-groups/${consumerGroup}`)).json).toEqual({});
  });

  test("names no queue and partition when the partition is unknown", async () => {
    const result = await api.ack({ transactionId: "x", partitionId: crypto.randomUUID() });
    expect(result).toMatchObject({
      index: 0,
      transactionId: "x",
      success: false,
      error: "Message not found",
      dlq: false,
    });
    expect([result.queueName, result.partitionName]).toEqual([null, null]);
  });

  test("an unknown status fails without an error text and without effect", async () => {
    const queue = await filled([1]);
    const [message] = await api.pop(queue);
    expect(await api.ack(leasedAckOf(message!, "perhaps"))).toMatchObject({ success: false, error: null });
    expect(await api.pop(queue)).toEqual([]);
    expect(await api.ack(leasedAckOf(message!))).toMatchObject({ success: true, leaseReleased: true });
  });

  test("is accepted without a lease id at any time, also for an expired lease", async () => {
    const queue = await filled([1, 2], { leaseTime: 1 });
    const [first] = await api.pop(queue);
    const [again] = await api.pop(queue, { wait: true, timeout: 5_000 });
    expect(again!.transactionId).toBe(first!.transactionId);
    expect(await api.ack(ackOf(first!))).toMatchObject({ success: true, error: null });
    expect(payloads(await api.pop(queue, { wait: true, timeout: 5_000 }))).toEqual([2]);
  });

  test("is refused with the id of an expired lease that another consumer replaced", async () => {
    const queue = await filled([1], { leaseTime: 1 });
    const [first] = await api.pop(queue);
    const [second] = await api.pop(queue, { wait: true, timeout: 5_000 });
    expect(await api.ack(leasedAckOf(first!))).toMatchObject({ success: false, error: "Invalid or expired lease" });
    expect(await api.ack(leasedAckOf(second!))).toMatchObject({ success: true, leaseReleased: true });
    expect(await api.pop(queue)).toEqual([]);
  });

  test("repeated without a lease changes nothing", async () => {
    const queue = await filled([1, 2, 3]);
    const [message] = await api.pop(queue);
    for (let n = 0; n < 3; n++) expect(await api.ack(ackOf(message!))).toMatchObject({ success: true });
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual([2, 3]);
  });

  test("of a message not yet delivered to the group is recorded: only the others are delivered", async () => {
    const queue = await filled(["a", "b", "c"]);
    const [a] = await api.pop(queue);
    expect(await api.ack({ ...ackOf(a!), transactionId: '"b"' })).toMatchObject({ success: true });
    expect(await api.pop(queue)).toEqual([]);
    expect(await api.ack(leasedAckOf(a!))).toMatchObject({ success: true, leaseReleased: true });
    expect(payloads(await api.pop(queue, { batch: 10 }))).toEqual(["c"]);
  });

  test("for a group that never popped succeeds without effect", async () => {
    const queue = await filled(["a"]);
    const [{ partitionId }] = (await api.pop(queue)) as [Popped];
    for (const status of ["completed", "retry"]) {
      const result = await api.ack({ transactionId: '"a"', partitionId, consumerGroup: "nobody", status });
      expect(result).toMatchObject({ success: true, error: null, leaseReleased: null, dlq: false });
    }
    expect(payloads(await api.pop(queue, { consumerGroup: "nobody" }))).toEqual(["a"]);
  });

  test("retry releases the lease without counting, however often", async () => {
    const queue = await filled([1], { retryLimit: 0 });
    for (let n = 0; n < 4; n++) {
      const [message] = await api.pop(queue);
      expect(message!.data).toBe(1);
      expect(await api.ack(leasedAckOf(message!, "retry"))).toMatchObject({
        success: true,
        leaseReleased: true,
        dlq: false,
      });
    }
    expect(await api.deadLetters({ queue })).toEqual([]);
  });

  test("dlq dead-letters at once, whatever the retry limit, and goes on with the next", async () => {
    const queue = await filled([1, 2], { retryLimit: 5 });
    const [message] = await api.pop(queue);
    expect(await api.ack(leasedAckOf(message!, "dlq", "poison"))).toMatchObject({ success: true, dlq: true });
    expect(await api.deadLetters({ queue })).toMatchObject([
      { data: 1, errorMessage: "poison", consumerGroup: "__QUEUE_MODE__" },
    ]);
    expect(payloads(await api.pop(queue))).toEqual([2]);
  });
});

describe("failed acks and the retry counter", () => {
  test.each([[0], [1], [3]])("retryLimit %d gives limit + 1 attempts for each message in turn", async (retryLimit) => {
    const queue = await filled(["A", "B"], { retryLimit });
    for (const payload of ["A", "B"]) {
      for (let attempt = 0; attempt <= retryLimit; attempt++) {
        const [message] = await api.pop(queue);
        expect(message!.data).toBe(payload);
        const last = attempt === retryLimit;
        expect(await api.ack(leasedAckOf(message!, "failed", `attempt ${attempt}`))).toMatchObject({
          success: true,
          error: null,
          dlq: last,
          ...(last ? {} : { leaseReleased: true }),
        });
      }
    }
    expect(await api.pop(queue)).toEqual([]);
    const dead = await api.deadLetters({ queue });
    expect(dead.map((letter) => letter.data).sort()).toEqual(["A", "B"]);
    for (const letter of dead) {
      expect(letter).toMatchObject({ errorMessage: `attempt ${retryLimit}`, retryCount: retryLimit });
    }
  });

  test("counts per group", async () => {
    const queue = await filled([1], { retryLimit: 1 });
    const fail = async (consumerGroup: string): Promise<boolean> => {
      const [message] = await api.pop(queue, { consumerGroup });
      return (await api.ack(leasedAckOf(message!, "failed"))).dlq;
    };
    expect([await fail("a"), await fail("b"), await fail("a"), await fail("b")]).toEqual([false, false, true, true]);
    const groups = (await api.deadLetters({ queue })).map((letter) => letter.consumerGroup);
    expect(groups.sort()).toEqual(["a", "b"]);
  });

  test("counts per message: a neighbour that fails later has all its attempts", async () => {
    const queue = await filled(["A", "B"], { retryLimit: 1 });
    const attempts: Record<string, number> = { A: 0, B: 0 };
    for (let popped = await api.pop(queue, { batch: 2 }); popped.length > 0; ) {
      const results = await api.ackBatch(
        popped.map((message) => {
          attempts[message.data] = attempts[message.data]! + 1;
          return leasedAckOf(message, message.data === "B" && attempts.A! < 2 ? "retry" : "failed", "no");
        }),
      );
      expect(results.every((result) => result.success)).toBe(true);
      popped = await api.pop(queue, { batch: 2 });
      if (attempts.A! + attempts.B! > 10) break;
    }
    expect(attempts.A).toBe(2);
    expect(await api.deadLetters({ queue })).toHaveLength(2);
  });

  test("a completed batch in between does not take a failed message's count away", async () => {
    const queue = await filled(["bad", "good"], { retryLimit: 2 });
    let deliveries = 0;
    for (let popped = await api.pop(queue, { batch: 2 }); popped.length > 0 && deliveries < 10; ) {
      if (popped.some((message) => message.data === "bad")) deliveries += 1;
      await api.ackBatch(
        popped.map((message) => leasedAckOf(message, message.data === "bad" ? "failed" : "completed")),
      );
      popped = await api.pop(queue, { batch: 2 });
    }
    expect(deliveries).toBe(3);
    expect((await api.deadLetters({ queue })).map((letter) => letter.data)).toEqual(["bad"]);
  });

  test("one dead letter per message and group, however often it is dead-lettered", async () => {
    const queue = await filled([1]);
    const [message] = await api.pop(queue);
    for (const error of ["first", "second"]) await api.ack(ackOf(message!, "dlq", error));
    expect(await api.deadLetters({ queue })).toHaveLength(1);
  });

  test("the text of a dead letter: as given, empty for a single ack without one, else Retries exhausted", async () => {
    const queue = await filled(["given", "single", "batch", "null"], { retryLimit: 0 });
    const [given, single, batch, withNull] = await api.pop(queue, { batch: 4 });
    await api.ack(leasedAckOf(given!, "failed", "boom"));
    await api.ack(leasedAckOf(single!, "failed"));
    await api.ackBatch([leasedAckOf(batch!, "failed"), { ...leasedAckOf(withNull!, "failed"), error: null }]);
    const texts = Object.fromEntries((await api.deadLetters({ queue })).map((dead) => [dead.data, dead.errorMessage]));
    expect(texts).toEqual({ given: "boom", single: "", batch: "Retries exhausted", null: "Retries exhausted" });
  });

  test("keeps a long error text with any characters but NUL as it is", async () => {
    const queue = await filled([1]);
    const [message] = await api.pop(queue);
    const text = `Error: "quoted" \\ 日本 😀\n${"at line\n".repeat(1000)}`;
    await api.ack(leasedAckOf(message!, "dlq", text));
    expect((await api.deadLetters({ queue }))[0]!.errorMessage).toBe(text);
  });

  test("fails a message by its id only: the same transaction id elsewhere is untouched", async () => {
    const queue = uniqueName("ack");
    const transactionId = uuidV7();
    await api.push({ queue, partition: "a", transactionId }, { queue, partition: "b", transactionId });
    const [a] = await api.popPartition(queue, "a");
    await api.ack(leasedAckOf(a!, "dlq"));
    expect(await api.popPartition(queue, "b")).toHaveLength(1);
    expect((await api.deadLetters({ queue })).map((letter) => letter.partition)).toEqual(["a"]);
  });
});
