/**
 * The main path of the contract, for each place the server runs in: what a queue is for, and beside it what the runtimes
 * do differently (threads, sockets of clients that go away, compression, encryption, CBOR). Runs under `bun:test` and
 * `Deno.test` alike, so it asserts with `node:assert`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type Api, ackOf, leasedAckOf, payloads, popPath, query } from "../support/api.ts";
import { DashboardClient } from "../support/dashboard-client.ts";
import { toCbor } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { gaugesOf } from "../support/prometheus.ts";
import { until } from "../support/wait.ts";

/** What a server under these steps is started with: nothing is kept in memory, so that what is popped was stored. */
export const MAIN_PATH_ENV: Readonly<Record<string, string>> = {
  SEGMENT_CACHE_BYTES: "0",
  QUEEN_ENCRYPTION_KEY: "0123456789abcdef".repeat(4),
};

/** One step: a name that reads as a sentence, and what is done with the server. Steps do not depend on each other. */
export type Step = readonly [name: string, run: (api: Api) => Promise<void>];

/** The steps. */
export const MAIN_PATH: readonly Step[] = [
  ["reports health", reportsHealth],
  ["configures a queue and shows its options", configures],
  ["keeps order within a partition, and knows a repeated transaction id", keepsOrder],
  ["redelivers what failed, then dead-letters it", deadLetters],
  ["answers a parked poll as soon as something is pushed", answersParkedPoll],
  ["gives no lease to a client that went away", givesNoLeaseToNobody],
  ["acknowledges and pushes in one transaction, or does neither", transacts],
  ["extends a lease", extendsLease],
  ["keeps a cursor for each group, and seeks", seeks],
  ["stores large payloads compressed and gives them back unchanged", storesLargePayloads],
  ["encrypts at rest", encrypts],
  ["speaks CBOR, byte strings included", speaksCbor],
  ["buffers pushes during maintenance, and delivers them after", buffers],
  ["refuses what is no request", refuses],
  ["deletes a queue", deletesQueue],
  ["commits a stream's cycle once: state, sink and acknowledgement", streams],
  ["answers HTTP/1.0 without a Host, as a load balancer asks", answersOldHttp],
  ["tells what happens over a socket", tellsWhatHappens],
  ["counts what it does, and shows it to dashboards and to Prometheus", measures],
  ["describes itself to programs and to people", describesItself],
];

/**
 * The last step, for whoever owns the server: a stop answers parked polls empty, and the process ends well.
 *
 * @param stop - Stops the server with SIGTERM and tells its exit code.
 */
export async function stopsWell(api: Api, stop: () => Promise<number | null>): Promise<void> {
  const poll = api.pop(uniqueName("runtime"), { wait: true, timeout: 60_000 });
  poll.catch(() => {});
  await until(async () => (await parkedPolls(api)) > 0, 5_000, "a parked poll");
  const code = await stop();
  assert.deepEqual(await poll, []);
  assert.equal(code, 0);
}

async function parkedPolls(api: Api): Promise<number> {
  const { json } = await api.http.get("/health");
  return json.workers.reduce((sum: number, worker: { polls_parked: number }) => sum + worker.polls_parked, 0);
}

async function reportsHealth(api: Api): Promise<void> {
  const answer = await api.http.get("/health");
  assert.equal(answer.status, 200);
  assert.equal(answer.json.status, "healthy");
  assert.equal(answer.json.database, "connected");
}

async function configures(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const answer = await api.configure(queue, { leaseTime: 77 }, { namespace: "n", task: "t" });
  assert.equal(answer.configured, true);
  assert.equal(answer.namespace, "n");
  assert.equal(answer.options.leaseTime, 77);
}

async function keepsOrder(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const first = await api.pushAll(queue, "p", [1, 2, 3]);
  const again = await api.pushAll(queue, "p", [2, 4]);
  assert.deepEqual(
    [...first, ...again].map(({ status }) => status),
    ["queued", "queued", "queued", "duplicate", "queued"],
  );
  assert.equal(again[0]!.message_id, first[1]!.message_id);
  const messages = await api.pop(queue, { batch: 10 });
  assert.deepEqual(payloads(messages), [1, 2, 3, 4]);
  assert.deepEqual(await api.pop(queue, { batch: 10 }), [], "the partition is leased");
  const acked = await api.ackBatch(messages.map((message) => leasedAckOf(message)));
  assert.ok(acked.every(({ success }) => success));
  assert.equal(acked.at(-1)!.leaseReleased, true);
  assert.deepEqual(await api.pop(queue, { batch: 10 }), [], "everything is consumed");
}

async function deadLetters(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.configure(queue, { retryLimit: 1 });
  await api.pushAll(queue, "p", ["bad", "good"]);
  for (const isLast of [false, true]) {
    const messages = await api.pop(queue, { batch: 2 });
    assert.equal(messages[0]!.data, "bad");
    const [result] = await api.ackBatch([leasedAckOf(messages[0]!, "failed", "no")]);
    assert.equal(result!.dlq, isLast);
  }
  const [dead] = await api.deadLetters({ queue });
  assert.equal(dead!.data, "bad");
  assert.equal(dead!.errorMessage, "no");
}

async function answersParkedPoll(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.configure(queue);
  const before = await parkedPolls(api);
  const poll = api.pop(queue, { wait: true, timeout: 20_000 });
  await until(async () => (await parkedPolls(api)) > before, 5_000, "a parked poll");
  const started = performance.now();
  await api.pushAll(queue, "p", ["wake"]);
  assert.deepEqual(payloads(await poll), ["wake"]);
  assert.ok(performance.now() - started < 10_000, "woken, not timed out");
}

async function givesNoLeaseToNobody(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.configure(queue);
  const gone = new AbortController();
  const before = await parkedPolls(api);
  const poll = api.http.call("GET", `${popPath(queue)}${query({ wait: true, timeout: 30_000 })}`, {
    signal: gone.signal,
  });
  poll.catch(() => {});
  await until(async () => (await parkedPolls(api)) > before, 5_000, "a parked poll");
  gone.abort();
  await until(async () => (await parkedPolls(api)) <= before, 5_000, "the end of that poll");
  await api.pushAll(queue, "p", ["mine"]);
  assert.deepEqual(payloads(await api.pop(queue)), ["mine"]);
}

async function transacts(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const next = uniqueName("runtime");
  await api.pushAll(queue, "p", ["in"]);
  const [message] = await api.pop(queue);
  const push = { type: "push", items: [{ queue: next, payload: "out", transactionId: "once" }] };
  const done = await api.transaction([{ type: "ack", ...ackOf(message!) }, push]);
  assert.equal(done.success, true);
  assert.deepEqual(payloads(await api.pop(next)), ["out"]);
  await api.pushAll(queue, "q", ["kept"]);
  const [kept] = await api.pop(queue);
  const failed = await api.transaction([{ type: "ack", ...ackOf(kept!) }, push]);
  assert.equal(failed.success, false, "the transaction id exists");
  assert.equal((await api.ack(leasedAckOf(kept!))).leaseReleased, true, "the ack was rolled back");
}

async function extendsLease(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.configure(queue, { leaseTime: 5 });
  await api.pushAll(queue, "p", [1]);
  const [message] = await api.pop(queue);
  const { json } = await api.http.post(`/api/v1/lease/${message!.leaseId}/extend`, { seconds: 1_000 });
  assert.equal(json.success, true);
  assert.ok(Date.parse(json.newExpiresAt) - Date.now() > 900_000);
}

async function seeks(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const seek = (body: object) => api.http.post(`/api/v1/consumer-groups/a/queues/${queue}/seek`, body);
  await api.pushAll(queue, "p", [1, 2]);
  const options = { batch: 10, autoAck: true };
  assert.deepEqual(payloads(await api.pop(queue, { ...options, consumerGroup: "a" })), [1, 2]);
  assert.deepEqual(payloads(await api.pop(queue, { ...options, consumerGroup: "b" })), [1, 2]);
  assert.equal((await seek({ timestamp: "2020-01-01T00:00:00Z" })).json.success, true);
  assert.deepEqual(payloads(await api.pop(queue, { ...options, consumerGroup: "a" })), [1, 2]);
  assert.deepEqual(await api.pop(queue, { ...options, consumerGroup: "b" }), []);
}

async function storesLargePayloads(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const noise = Array.from({ length: 2_000 }, () => crypto.randomUUID()).join("");
  const large = [{ text: "größer ".repeat(50_000) }, { text: noise }];
  await api.push(...large.map((payload) => ({ queue, payload })));
  assert.deepEqual(payloads(await api.pop(queue, { batch: 2 })), large);
}

async function encrypts(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.configure(queue, { encryptionEnabled: true });
  await api.pushAll(queue, "p", ["secret"]);
  assert.deepEqual(payloads(await api.pop(queue)), ["secret"]);
}

async function speaksCbor(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const bytes = new Uint8Array([0, 1, 254, 255]);
  const pushed = await api.http.postRaw("/api/v1/push", toCbor({ items: [{ queue, payload: { bytes } }] }), {
    "content-type": "application/cbor",
    accept: "application/cbor",
  });
  assert.equal(pushed.status, 201);
  const popped = await api.http.getCbor(popPath(queue));
  assert.deepEqual(new Uint8Array(popped.json.messages[0].data.bytes), bytes);
}

async function refuses(api: Api): Promise<void> {
  for (const raw of ["", "{", "[]", '{"items":[{"payload":1}]}', '{"items":[{"queue":"a\\u0000b"}]}']) {
    const answer = await api.http.postRaw("/api/v1/push", raw, { "content-type": "application/json" });
    assert.equal(answer.status, 400, raw);
    assert.equal(typeof answer.json.error, "string");
  }
}

async function buffers(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  const maintenance = "/api/v1/system/maintenance";
  assert.equal((await api.http.post(maintenance, { enabled: true })).json.bufferHealthy, true);
  for (let n = 0; n < 20; n++) assert.equal((await api.push({ queue, payload: n }))[0]!.status, "buffered");
  assert.equal((await api.http.post(maintenance, { enabled: false })).status, 200);
  await until(async () => (await api.http.get(maintenance)).json.bufferedMessages === 0, 10_000, "an empty buffer");
  const popped = payloads(await api.pop(queue, { batch: 100, autoAck: true }));
  assert.deepEqual(
    popped,
    Array.from({ length: 20 }, (_, n) => n),
  );
}

async function streams(api: Api): Promise<void> {
  const [source, sink] = [uniqueName("runtime"), uniqueName("runtime")];
  await api.configure(sink);
  await api.pushAll(source, "p", [5]);
  const [message] = await api.pop(source, { consumerGroup: "streams" });
  const query = { name: uniqueName("runtime"), source_queue: source, sink_queue: sink, config_hash: "h" };
  const { query_id } = (await api.http.post("/streams/v1/queries", query)).json;
  const at = { query_id, partition_id: message!.partitionId };
  const { transactionId, partitionId, leaseId } = message!;
  const cycle = {
    ...at,
    consumer_group: "streams",
    state_ops: [{ type: "upsert", key: "sum", value: 5 }],
    push_items: [{ queue: sink, partition: "p", payload: 5 }],
    ack: { transactionId, partitionId, leaseId, status: "completed" },
  };
  for (let attempt = 0; attempt < 2; attempt++) {
    const answer = await api.http.post("/streams/v1/cycle", cycle);
    assert.equal(answer.json.success, true, answer.text);
  }
  const { json } = await api.http.post("/streams/v1/state/get", at);
  assert.deepEqual(
    json.rows.map(({ key, value }: { key: string; value: unknown }) => [key, value]),
    [["sum", 5]],
  );
  assert.deepEqual(payloads(await api.pop(sink, { batch: 9 })), [5]);
  assert.deepEqual(await api.pop(source, { consumerGroup: "streams" }), []);
}

async function answersOldHttp(api: Api): Promise<void> {
  const { hostname, port } = new URL(api.http.url);
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write("GET /health/live HTTP/1.0\r\n\r\n"));
    socket.on("data", (bytes) => {
      text += bytes;
      if (text.endsWith("}")) socket.destroy();
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
  assert.match(answer, /^HTTP\/1\.[01] 200 OK\r\n.*\{"status":"alive"\}$/s);
}

async function tellsWhatHappens(api: Api): Promise<void> {
  const client = new DashboardClient(api.http.url);
  await client.connected();
  client.socket.send("ping");
  await until(() => client.texts.includes("pong"), 5_000, "a pong");
  const queue = uniqueName("runtime");
  await until(async () => {
    await api.push({ queue });
    return client.of("message.pushed", (data) => data.queue === queue).length > 0;
  }, 10_000);
  client.socket.send("x".repeat(16_385));
  await until(() => client.closed !== null, 5_000, "the end of the socket");
  assert.equal((await api.http.get("/ws/dashboard")).status, 426);
}

async function deletesQueue(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.pushAll(queue, "p", [1]);
  const answer = await api.http.del(`/api/v1/resources/queues/${queue}`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await api.pop(queue), []);
}

async function measures(api: Api): Promise<void> {
  const queue = uniqueName("runtime");
  await api.pushAll(queue, "p", [1, 2, 3]);
  await api.pop(queue, { batch: 2, autoAck: true });
  const { series } = (await api.http.get(`/api/v1/analytics/queue-ops${query({ queue })}`)).json;
  const sum = (field: string) => series.reduce((all: number, point: Record<string, number>) => all + point[field]!, 0);
  assert.deepEqual([sum("pushMessages"), sum("popMessages")], [3, 2]);
  const value = gaugesOf((await api.http.get("/metrics/prometheus")).text);
  assert.ok(value("queen_cluster_push_messages_total")! >= 3);
  assert.ok(value("queen_process_resident_memory_bytes")! > 2 ** 20);
}

async function describesItself(api: Api): Promise<void> {
  const document = (await api.http.get("/openapi.json")).json;
  assert.ok("/api/v1/push" in document.paths);
  const page = await api.http.get("/docs");
  for (const [, file] of page.text.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)) {
    assert.equal((await api.http.get(`/${file}`)).status, 200);
  }
  assert.match((await api.http.get("/docs/swagger-ui-bundle.js")).text, /SwaggerUIBundle/);
  const dashboard = await api.http.get("/");
  for (const [, file] of dashboard.text.matchAll(/(?:src|href)="(dashboard\/[^"]+)"/g)) {
    assert.equal((await api.http.get(`/${file}`)).status, 200);
  }
  assert.match((await api.http.get("/dashboard/app.js")).text, /status\/live/);
}
