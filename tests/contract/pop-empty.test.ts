import { describe, expect, test } from "bun:test";
import { popPath, query } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();

/** Each prepares a queue so that a pop at `path` must be empty. */
const situations: [what: string, prepare: (queue: string) => Promise<string>][] = [
  ["unknown queue", async (queue) => popPath(queue)],
  ["unknown queue and partition", async (queue) => popPath(queue, "p")],
  ["unknown namespace", async (queue) => `/api/v1/pop${query({ namespace: queue })}`],
  ["unknown task", async (queue) => `/api/v1/pop${query({ task: queue })}`],
  [
    "configured queue without messages",
    async (queue) => {
      await api.configure(queue);
      return popPath(queue);
    },
  ],
  [
    "unknown partition of a known queue",
    async (queue) => {
      await api.pushAll(queue, "p", [1]);
      return popPath(queue, "other");
    },
  ],
  [
    "partition leased, asked for the queue",
    async (queue) => {
      await api.pushAll(queue, "p", [1, 2]);
      await api.pop(queue);
      return popPath(queue);
    },
  ],
  [
    "partition leased, asked for itself",
    async (queue) => {
      await api.pushAll(queue, "p", [1, 2]);
      await api.pop(queue);
      return popPath(queue, "p");
    },
  ],
  [
    "everything consumed",
    async (queue) => {
      await api.pushAll(queue, "p", [1]);
      await api.pop(queue, { autoAck: true });
      return popPath(queue);
    },
  ],
  [
    "delayedProcessing not due, asked for the queue",
    async (queue) => {
      await api.configure(queue, { delayedProcessing: 3600 });
      await api.pushAll(queue, "p", [1]);
      return popPath(queue);
    },
  ],
  [
    "delayedProcessing not due, asked for the partition",
    async (queue) => {
      await api.configure(queue, { delayedProcessing: 3600 });
      await api.pushAll(queue, "p", [1]);
      return popPath(queue, "p");
    },
  ],
  [
    "windowBuffer not elapsed, asked for the queue",
    async (queue) => {
      await api.configure(queue, { windowBuffer: 3600 });
      await api.pushAll(queue, "p", [1]);
      return popPath(queue);
    },
  ],
  [
    "windowBuffer not elapsed, asked for the partition",
    async (queue) => {
      await api.configure(queue, { windowBuffer: 3600 });
      await api.pushAll(queue, "p", [1]);
      return popPath(queue, "p");
    },
  ],
  [
    "history skipped by a new subscription",
    async (queue) => {
      await api.pushAll(queue, "p", [1]);
      return popPath(queue) + query({ consumerGroup: "g", subscriptionMode: "new" });
    },
  ],
];

describe("a pop with nothing to deliver answers 204 without a body", () => {
  test.each(situations)("%s", async (_what, prepare) => {
    const path = await prepare(uniqueName("empty"));
    const answer = await api.http.get(path);
    expect([answer.status, answer.text]).toEqual([204, ""]);
  });

  test.each(situations)("%s, asked in CBOR", async (_what, prepare) => {
    const answer = await api.http.getCbor(await prepare(uniqueName("empty")));
    expect([answer.status, answer.bytes.length]).toEqual([204, 0]);
  });

  test.each(situations)("%s, after the long poll ran out and not before", async (_what, prepare) => {
    const path = await prepare(uniqueName("empty"));
    const started = performance.now();
    const answer = await api.http.get(`${path}${path.includes("?") ? "&" : "?"}wait=true&timeout=250`);
    const took = performance.now() - started;
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect(took).toBeGreaterThanOrEqual(245);
    expect(took).toBeLessThan(2_000);
  });

  test("pop does not create the queue that it names", async () => {
    const queue = uniqueName("empty");
    await api.pop(queue);
    await api.popPartition(queue, "p", { consumerGroup: "g", subscriptionMode: "new" });
    expect((await api.http.del(`/api/v1/resources/queues/${queue}`)).json.existed).toBe(false);
  });
});
