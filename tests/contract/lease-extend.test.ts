import { describe, expect, test } from "bun:test";
import { leasedAckOf } from "../support/api.ts";
import { TIME_MS, uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { untilTime } from "../support/wait.ts";

const api = useSharedServer();

const extendPath = (leaseId: string): string => `/api/v1/lease/${leaseId}/extend`;

async function leased(options: object = {}): Promise<{ queue: string; leaseId: string }> {
  const queue = uniqueName("extend");
  await api.configure(queue, options);
  await api.pushAll(queue, "p", [1]);
  const [message] = await api.pop(queue);
  return { queue, leaseId: message!.leaseId };
}

describe("POST /api/v1/lease/:leaseId/extend", () => {
  test("answers one object with the new deadline", async () => {
    const { leaseId } = await leased();
    const before = Date.now();
    const answer = await api.http.post(extendPath(leaseId), { seconds: 1000 });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      index: 0,
      leaseId,
      success: true,
      error: null,
      expiresAt: expect.stringMatching(TIME_MS),
      newExpiresAt: answer.json.expiresAt,
    });
    const deadline = Date.parse(answer.json.expiresAt);
    expect(deadline).toBeGreaterThanOrEqual(before + 1_000_000 - 1);
    expect(deadline).toBeLessThanOrEqual(Date.now() + 1_000_000 + 1);
  });

  const bodies: [what: string, raw: string | undefined, headers: Record<string, string>][] = [
    ["{} (JavaScript, Go)", "{}", { "content-type": "application/json" }],
    ["no body (Python)", undefined, { "content-type": "application/json" }],
    ["no body, no type", undefined, {}],
    ["[] (PHP)", "[]", { "content-type": "application/json" }],
    ["an empty body", "", { "content-type": "application/json" }],
    ["seconds null", '{"seconds":null}', { "content-type": "application/json" }],
  ];
  test.each(bodies)("takes %s as 60 seconds", async (_what, raw, headers) => {
    const { leaseId } = await leased({ leaseTime: 5 });
    const answer = await api.http.postRaw(extendPath(leaseId), raw, headers);
    expect(answer.json).toMatchObject({ success: true, leaseId });
    const left = Date.parse(answer.json.newExpiresAt) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  test("never shortens a lease", async () => {
    const { leaseId } = await leased({ leaseTime: 300 });
    const { json } = await api.http.post(extendPath(leaseId), { seconds: 1 });
    expect(Date.parse(json.newExpiresAt) - Date.now()).toBeGreaterThan(250_000);
  });

  test("keeps the partition hidden beyond the old deadline", async () => {
    const { queue, leaseId } = await leased({ leaseTime: 1 });
    await api.http.post(extendPath(leaseId), { seconds: 30 });
    await untilTime(Date.now() + 1_200);
    expect(await api.pop(queue)).toEqual([]);
  });

  test("renews every partition of a lease", async () => {
    const queue = uniqueName("extend");
    await api.configure(queue, { leaseTime: 1 });
    await api.push({ queue, partition: "a" }, { queue, partition: "b" });
    const messages = await api.pop(queue, { batch: 10, partitions: 2 });
    const { json } = await api.http.post(extendPath(messages[0]!.leaseId), { seconds: 30 });
    expect(json.success).toBe(true);
    await untilTime(Date.now() + 1_200);
    expect(await api.pop(queue, { batch: 10, partitions: 2 })).toEqual([]);
    for (const message of messages) expect(await api.ack(leasedAckOf(message))).toMatchObject({ success: true });
  });

  const refused: [what: string, lease: () => Promise<string>, error: RegExp][] = [
    ["an unknown lease", async () => crypto.randomUUID(), /^Lease not found$/],
    ["a lease id that is no UUID", async () => "no-uuid", /^Lease not found$/],
    [
      "an expired lease",
      async () => {
        const { leaseId } = await leased({ leaseTime: 1 });
        await untilTime(Date.now() + 1_100);
        return leaseId;
      },
      /^Lease (already expired|not active)$/,
    ],
    [
      "a released lease",
      async () => {
        const { queue, leaseId } = await leased();
        const partitionId = (await api.popPartition(queue, "p", { consumerGroup: "x" }))[0]!.partitionId;
        await api.ack({ transactionId: "1", partitionId, leaseId });
        return leaseId;
      },
      /^Lease not (found|active)$/,
    ],
  ];
  test.each(refused)("reports %s as an object with success false", async (_what, lease, error) => {
    const leaseId = await lease();
    const answer = await api.http.post(extendPath(leaseId), {});
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ leaseId, success: false, expiresAt: null, newExpiresAt: null });
    expect(answer.json.error).toMatch(error);
  });
});
