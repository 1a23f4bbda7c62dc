/**
 * Every route that reads, called with a bit of everything in the database, for something that is there, something that is not, and
 * with bad input. What the answers look like is compared with the document by the client itself (`tests/support/documented.ts`).
 */
import { beforeAll, describe, expect, test } from "bun:test";
import type { ApiOperation } from "../../schema/wire/api/operation.ts";
import { OPERATIONS } from "../../schema/wire/api/operations.ts";
import { ackOf, leasedAckOf } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();
/** Values of path parameters that lead to something. */
const there: Record<string, string> = {};

const READING = OPERATIONS.filter(
  (operation) => operation.method === "GET" && !operation.id.toLowerCase().includes("socket"),
);
const named = READING.map((operation) => [`GET ${operation.path}`, operation] as const);

/** A queue with messages that are pending, leased, completed, failed, deleted and dead, in queue mode and in two groups. */
beforeAll(async () => {
  const queue = uniqueName("everything");
  const group = uniqueName("g");
  await api.configure(queue, { retryLimit: 0, leaseTime: 60 }, { namespace: uniqueName("n"), task: uniqueName("t") });
  for (const partition of ["a", "b", "c"]) await api.pushAll(queue, partition, [1, 2, 3, 4]);
  const [first, second] = await api.popPartition(queue, "a", { batch: 4 });
  await api.ackBatch([leasedAckOf(first!), leasedAckOf(second!, "failed", "boom")]);
  const grouped = await api.pop(queue, { batch: 2, consumerGroup: group });
  await api.ack(ackOf(grouped[0]!));
  await api.pop(queue, { batch: 1, consumerGroup: uniqueName("new"), subscriptionMode: "new" });
  await api.http.del(`/api/v1/messages/${first!.partitionId}/4`);
  const { transactionId, partitionId } = second!;
  const traceName = uniqueName("trace");
  await api.http.post("/api/v1/traces", { transactionId, partitionId, data: { n: 1 }, traceNames: [traceName, "x"] });
  const october = { transactionId: crypto.randomUUID(), queue, partition: "c", payload: { n: 1 } };
  await api.http.post("/2025-10/api/v1/push", { items: [october] });
  Object.assign(there, { queue, group, partition: "a", transactionId, partitionId, traceName });
  octoberTransaction = october.transactionId;
});
let octoberTransaction = "";

/** Path of a file of the API's page and of the dashboard's. */
const FILES: Record<string, string> = { "/docs/:file": "start.js", "/dashboard/:file": "app.js" };

/** What a read cannot do without: a pop needs a filter that finds nothing that is left, a preview of a seek its aim. */
function neededQuery(path: string): string {
  if (path.endsWith("/pop")) return `?namespace=${uniqueName("none")}`;
  return path.endsWith("/seek") ? "?toEnd=true" : "";
}

/** The path of an operation; its queries wait for nothing. */
function pathOf(operation: ApiOperation, values: (name: string) => string): string {
  return operation.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(values(name)));
}

function valueThere(operation: ApiOperation): (name: string) => string {
  return (name) => {
    if (name === "file") return FILES[operation.path] ?? "x";
    if (name === "transactionId" && operation.path.startsWith("/2025-10")) return octoberTransaction;
    return there[name] ?? "x";
  };
}

describe.each(named)("%s", (_name, operation) => {
  test("answers what is there as documented, in JSON and in CBOR", async () => {
    const path = pathOf(operation, valueThere(operation));
    const status = operation.path.startsWith("/api/v1/migration") ? [410] : [200, 204];
    const query = neededQuery(operation.path);
    expect(status).toContain((await api.http.get(path + query)).status);
    expect(status).toContain((await api.http.getCbor(path + query)).status);
    for (const parameter of Object.keys(operation.query ?? {})) {
      if (!(parameter in there) || query !== "") continue;
      const filtered = await api.http.get(`${path}?${parameter}=${encodeURIComponent(there[parameter]!)}`);
      expect(status).toContain(filtered.status);
    }
  });

  test("answers as documented for what is not there", async () => {
    const path = pathOf(operation, () => crypto.randomUUID());
    const answer = await api.http.get(path + neededQuery(operation.path));
    expect([200, 204, 404, 410]).toContain(answer.status);
  });

  test("refuses names that cannot be, and never fails", async () => {
    if (!operation.path.includes(":")) return;
    for (const name of ["x".repeat(300), "a\0b"]) {
      const answer = await api.http.get(pathOf(operation, () => name));
      expect([400, 404]).toContain(answer.status);
      expect(answer.json.error).toBeString();
    }
    expect((await api.http.get(operation.path.replace(/:\w+/g, "%ff"))).status).toBeOneOf([400, 404]);
  });

  test("reads its query as clients of every generation send it, and never fails", async () => {
    const path = pathOf(operation, valueThere(operation));
    for (const name of Object.keys(operation.query ?? {})) {
      for (const value of ["", "x", "-1", "0", "99999999999999999999", "a%00b", "x".repeat(300), "%ff", "true"]) {
        if (name === "timeout" || name === "wait") continue;
        const answer = await api.http.get(`${path}?${name}=${value}`);
        expect([200, 204, 400, 410], `${name}=${value.slice(0, 30)}: ${answer.text.slice(0, 200)}`).toContain(
          answer.status,
        );
      }
    }
  });
});
