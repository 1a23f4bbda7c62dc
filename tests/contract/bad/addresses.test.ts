import { describe, expect, test } from "bun:test";
import { payloads } from "../../support/api.ts";
import { uniqueName } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();

/** Every route with something in its path, `@` standing for it. */
const paths: [method: string, path: string][] = [
  ["GET", "/api/v1/pop/queue/@"],
  ["GET", "/api/v1/pop/queue/known/partition/@"],
  ["GET", "/api/v1/pop?namespace=@"],
  ["GET", "/api/v1/pop?task=@"],
  ["POST", "/api/v1/lease/@/extend"],
  ["POST", "/api/v1/lease/@/ack"],
  ["DELETE", "/api/v1/resources/queues/@"],
  ["DELETE", "/api/v1/queues/@/clear"],
  ["DELETE", "/api/v1/queues/known/clear?partition=@"],
  ["GET", "/api/v1/dlq?queue=@"],
  ["GET", "/api/v1/dlq?partition=@"],
  ["GET", "/api/v1/dlq?consumerGroup=@"],
  ["GET", "/api/v1/dlq?from=@"],
  ["GET", "/api/v1/dlq?to=@"],
  ["GET", "/api/v1/messages/@/t"],
  ["GET", "/api/v1/messages/0190a5c8-7d3e-7000-8000-000000000000/@"],
  ["DELETE", "/api/v1/messages/0190a5c8-7d3e-7000-8000-000000000000/@"],
  ["POST", "/api/v1/messages/0190a5c8-7d3e-7000-8000-000000000000/@/retry"],
  ["POST", "/api/v1/messages/0190a5c8-7d3e-7000-8000-000000000000/@/dlq"],
  ["GET", "/api/v1/traces/by-name/@"],
  ["GET", "/api/v1/traces/@/t"],
  ["DELETE", "/api/v1/consumer-groups/@"],
  ["DELETE", "/api/v1/consumer-groups/@/queues/known"],
  ["DELETE", "/api/v1/consumer-groups/g/queues/@"],
  ["POST", "/api/v1/consumer-groups/g/queues/known/partitions/@/seek"],
];
const texts: [what: string, text: string][] = [
  ["NUL", "%00"],
  ["a byte that is not UTF-8", "%ff"],
  ["a cut UTF-8 sequence", "a%e2%82"],
  ["a surrogate in UTF-8", "%ed%a0%80"],
  ["a broken escape", "%zz"],
  ["a lone percent sign", "%"],
  ["256 characters", "x".repeat(256)],
  ["3,000 characters", "x".repeat(3000)],
  ["quotes and a semicolon", "'%22;drop%20table%20queen.queues;--"],
  ["a backslash", "%5c%5c"],
  ["2^63", "9223372036854775808"],
];

describe.each(paths)("%s %s", (method, path) => {
  test.each(texts)("with %s is no server error", async (_what, text) => {
    const answer = await api.http.call(method, path.replace("@", text));
    expect(answer.status, answer.text).toBeLessThan(500);
    if (answer.status >= 400 && answer.status !== 404) expect(answer.json.error).toBeString();
  });
});

describe("pop with a bad consumer group", () => {
  test.each([
    ["NUL", "a%00"],
    ["256 characters", "g".repeat(256)],
  ])("%s is refused and leases nothing", async (_what, group) => {
    const queue = uniqueName("bad");
    await api.pushAll(queue, "p", [1]);
    const answer = await api.http.get(`/api/v1/pop/queue/${queue}?consumerGroup=${group}`);
    expect([answer.status, typeof answer.json?.error]).toEqual([400, "string"]);
    expect(answer.json.error).toMatch(/consumerGroup/);
  });

  test("255 characters are a good one", async () => {
    const queue = uniqueName("bad");
    await api.pushAll(queue, "p", [1]);
    expect(payloads(await api.pop(queue, { consumerGroup: "g".repeat(255) }))).toEqual([1]);
  });

  test("an empty one is queue mode", async () => {
    const queue = uniqueName("bad");
    await api.pushAll(queue, "p", [1]);
    const answer = await api.http.get(`/api/v1/pop/queue/${queue}?consumerGroup=`);
    expect(answer.json.messages[0].consumerGroup).toBe("__QUEUE_MODE__");
  });
});

describe("pop with bad numbers", () => {
  const values = ["x", "-1", "0", "1e400", "9223372036854775808", "-9223372036854775809", "1.5", "0x10", "NaN", "%00"];
  test.each(values.flatMap((value) => ["batch", "timeout", "partitions"].map((name) => [name, value] as const)))(
    "%s=%s still answers a message",
    async (name, value) => {
      const queue = uniqueName("bad");
      await api.pushAll(queue, "p", [1]);
      const answer = await api.http.get(`/api/v1/pop/queue/${queue}?${name}=${value}`);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.json.messages).toHaveLength(1);
    },
  );

  test("pop without queue, namespace and task is refused or empty", async () => {
    const answer = await api.http.get("/api/v1/pop");
    expect([204, 400]).toContain(answer.status);
  });
});
