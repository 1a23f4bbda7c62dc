/** Commands on messages, as processes against a real server. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { payloads } from "../../support/api.ts";
import { ended, queen, queenOn, startQueen } from "../../support/cli.ts";
import { uniqueName } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";
import { until } from "../../support/wait.ts";

const api = useSharedServer();
const q = queenOn(() => api.http.url);
const on = (input: string, ...args: string[]) => queen(args, { env: { QUEEN_URL: api.http.url }, input });

describe("queen push", () => {
  test("one message, with digits that JavaScript's numbers have not", async () => {
    const queue = uniqueName("cli");
    const pushed = await q("push", queue, '{"id":12345678901234567890}');
    expect(pushed).toMatchObject({ code: 0, err: "" });
    expect(pushed.out).toMatch(new RegExp(`^queued ${queue}/Default [0-9a-f-]{36}\n$`));
    const popped = await q("pop", queue, "--json");
    expect(popped.out).toContain('"data":{"id":12345678901234567890}');
  });

  test("--json, --partition, --text and --transaction-id; a repetition is a duplicate", async () => {
    const queue = uniqueName("cli");
    const args = ["push", queue, "hello, world", "--text", "-p", "a b", "--transaction-id", "t-1", "--json"];
    expect((await q(...args)).json).toMatchObject({ status: "queued", transaction_id: "t-1", queueName: queue });
    expect((await q(...args)).json).toMatchObject({ status: "duplicate" });
    const [message] = await api.pop(queue);
    expect(message).toMatchObject({ data: "hello, world", partition: "a b" });
  });

  test("lines from stdin in order, whatever ends the last one", async () => {
    const queue = uniqueName("cli");
    const lines = Array.from({ length: 1_234 }, (_, n) => String(n));
    const pushed = await on(`${lines.join("\r\n")}`, "push", queue, "--batch", "100");
    expect(pushed).toMatchObject({ code: 0, out: "1234 queued\n" });
    expect(payloads(await api.pop(queue, { batch: 2_000 }))).toEqual(lines.map(Number));
  });

  test("a file, and --items with fields of their own", async () => {
    const [queue, folder] = [uniqueName("cli"), mkdtempSync(join(tmpdir(), "queen-cli-"))];
    const file = join(folder, "items.ndjson");
    writeFileSync(
      file,
      '{"payload":1,"partition":"x","transactionId":"a"}\n\n{"payload":null}\n{"payload":1,"partition":"x","transactionId":"a"}\n',
    );
    expect((await q("push", queue, "--file", file, "--items", "--json")).json).toEqual({
      queued: 2,
      duplicate: 1,
      buffered: 0,
      failed: 0,
    });
    rmSync(folder, { recursive: true });
    expect(payloads(await api.popPartition(queue, "x"))).toEqual([1]);
    expect(payloads(await api.popPartition(queue, "Default"))).toEqual([null]);
  });

  test("says which line is none, and that what stood before it was pushed", async () => {
    const queue = uniqueName("cli");
    const pushed = await on("1\n2\n{\n4\n", "push", queue);
    expect(pushed).toMatchObject({ code: 1, out: "" });
    expect(pushed.err).toContain(
      "Line 3 is not JSON (add --text for plain text); the 2 messages before it were pushed.",
    );
    expect(payloads(await api.pop(queue, { batch: 9 }))).toEqual([1, 2]);
  });

  test.each([
    [["nojson"], 2, "The payload is no JSON. Add --text"],
    [["1", "--file", "x"], 2, "Give either a payload or --file"],
    [["--file", "/nowhere/x"], 2, "Cannot read /nowhere/x (ENOENT)"],
    [["1", "--batch", "0"], 2, "Expected a whole number from 1 to 10000"],
    [["1", "--transaction-id", "x".repeat(300)], 1, "transactionId"],
  ])("%j is refused", async (args, code, error) => {
    const refused = await q("push", uniqueName("cli"), ...args);
    expect(refused.code).toBe(code);
    expect(refused.out).toBe("");
    expect(refused.err).toContain(error);
  });

  test("an item that the server refuses is told, and fails", async () => {
    const queue = uniqueName("cli");
    await api.configure(queue, { maxSize: 2 });
    const pushed = await on("1\n2\n3\n", "push", queue, "--batch", "1");
    expect(pushed).toMatchObject({ code: 1, out: "2 queued, 1 failed\n" });
    expect(pushed.err).not.toBe("");
  });
});

describe("queen pop and ack", () => {
  test("prints, acknowledges, and ends with 3 when there is nothing", async () => {
    const queue = uniqueName("cli");
    await api.pushAll(queue, "p", [{ n: 1 }, { n: 2 }]);
    const first = await q("pop", queue);
    expect(first.out).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+ {2}p {2}\S+ {2}\{"n":1\}\n$/);
    expect(await q("pop", queue, "--raw", "-n", "5")).toMatchObject({ code: 0, out: '{"n":2}\n' });
    expect(await q("pop", queue)).toMatchObject({ code: 3, out: "", err: `Nothing to take from ${queue}.\n` });
    expect(await q("pop", queue, "--json")).toMatchObject({ code: 3, out: "", err: "" });
  });

  test("--no-ack leaves a lease, which ack answers for, once", async () => {
    const [queue, group] = [uniqueName("cli"), uniqueName("g")];
    await api.pushAll(queue, "p", [1, 2]);
    const popped = await q("pop", queue, "-g", group, "-n", "2", "--no-ack", "--json");
    expect(popped.json).toMatchObject([{ data: 1 }, { data: 2 }]);
    const lease = popped.json[0].leaseId;
    expect((await q("pop", queue, "-g", group)).code).toBe(3);
    expect(await q("ack", lease, "--status", "dlq", "--error", "why")).toMatchObject({
      code: 0,
      out: "2 dlq, 2 of them dead letters\n",
    });
    expect(await q("ack", lease, "--json")).toMatchObject({ code: 3, json: { success: false } });
    expect(await api.deadLetters({ queue })).toHaveLength(2);
  });

  test("--wait waits for what comes", async () => {
    const queue = uniqueName("cli");
    const waiting = startQueen(["pop", queue, "--wait", "60s", "--raw"], { env: { QUEEN_URL: api.http.url } });
    const end = ended(waiting);
    await api.pushAll(queue, "p", ["here"]);
    expect(await end).toMatchObject({ code: 0, out: "here\n" });
  });
});

describe("queen tail", () => {
  test("shows what arrives, consumes nothing, and ends well with Ctrl-C", async () => {
    const queue = uniqueName("cli");
    await api.pushAll(queue, "p", ["old"]);
    const child = startQueen(["tail", queue, "--raw", "--since", "1h", "--interval", "50ms"], {
      env: { QUEEN_URL: api.http.url },
    });
    let out = "";
    child.stdout!.on("data", (part) => {
      out += part;
    });
    const end = ended(child);
    await until(() => out === "old\n", 30_000, "the old message");
    await api.pushAll(queue, "p", [1, 2, 3]);
    await until(() => out === "old\n1\n2\n3\n", 30_000, "the new messages");
    child.kill("SIGINT");
    expect(await end).toMatchObject({ code: 0, err: "" });
    expect(await api.pop(queue, { batch: 9 })).toHaveLength(4);
    const groups = (await api.http.get("/api/v1/consumer-groups")).json as { queueName: string; name: string }[];
    expect(groups.filter((row) => row.queueName === queue).map((row) => row.name)).toEqual(["__QUEUE_MODE__"]);
  });

  test("--count and --json", async () => {
    const queue = uniqueName("cli");
    await api.pushAll(queue, "p", [1, 2, 3]);
    const tail = await q("tail", queue, "--since", "10m", "--count", "2", "--json");
    expect(tail).toMatchObject({ code: 0, json: [{ payload: 1, queue }, { payload: 2 }] });
  });
});

describe("queen messages, message and dlq", () => {
  test("list and show", async () => {
    const queue = uniqueName("cli");
    await api.pushAll(queue, "p", [1, 2]);
    const list = await q("messages", queue);
    expect(list.code).toBe(0);
    expect(list.out.split("\n")).toHaveLength(4);
    expect(list.out).toContain("pending");
    const { messages } = (await q("messages", queue, "--json", "-n", "1")).json;
    expect(messages).toMatchObject([{ queue, transactionId: "2" }]);
    const shown = await q("message", messages[0].partitionId, "2");
    expect(shown).toMatchObject({ code: 0, err: "" });
    expect(shown.out).toMatch(/status +pending\n[\s\S]*\n2\n$/);
    expect((await q("message", messages[0].partitionId, "2", "--json")).json).toMatchObject({ payload: 2 });
    expect((await q("message", messages[0].partitionId, "none")).code).toBe(3);
    expect((await q("messages", uniqueName("cli"))).code).toBe(3);
    expect((await q("messages", queue, "--status", "lost")).code).toBe(2);
  });

  test("dead letters are listed, delivered again, and deleted", async () => {
    const [queue, group] = [uniqueName("cli"), uniqueName("g")];
    await api.pushAll(queue, "p", [1, 2, 3]);
    const { leaseId, partitionId } = (await api.pop(queue, { batch: 9, consumerGroup: group }))[0]!;
    await api.ackBatch(
      [1, 2, 3].map((n) => ({ transactionId: String(n), partitionId, leaseId, status: "dlq", error: `bad ${n}` })),
      group,
    );
    const list = await q("dlq", "list", queue);
    expect(list.code).toBe(0);
    expect(list.out).toContain("bad 2");
    expect((await q("dlq", "list", queue, "--json", "--error", "bad 2")).json.messages).toMatchObject([{ data: 2 }]);
    expect(await q("dlq", "redrive", queue, "--error", "bad 2")).toMatchObject({ code: 2, out: "" });
    expect(await q("dlq", "redrive", queue, "--error", "bad 2", "--yes")).toMatchObject({
      code: 0,
      out: "1 redriven\n",
    });
    expect(payloads(await api.pop(queue, { batch: 9, consumerGroup: group, autoAck: true }))).toEqual([2]);
    expect((await q("dlq", "delete", queue, "--group", group, "--yes", "--json")).json).toEqual({
      deleted: 2,
      failed: 0,
      errors: [],
    });
    expect(await q("dlq", "list", queue)).toMatchObject({ code: 3, out: "" });
    expect((await q("dlq", "delete", queue, "--yes")).code).toBe(3);
  });
});
