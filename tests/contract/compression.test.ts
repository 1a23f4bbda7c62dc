import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { Api, popPath, query } from "../support/api.ts";
import { fromCbor, Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer, type TestServer } from "../support/server.ts";

setDefaultTimeout(60_000);

const servers: TestServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.stop())));

async function serve(env: Record<string, string | undefined>): Promise<Api> {
  const server = await startServer({ env });
  servers.push(server);
  return new Api(new Http(server.url));
}

interface Raw {
  status: number;
  coding: string | null;
  vary: string | null;
  length: string | null;
  bytes: Uint8Array;
}

/** A GET whose body is left as it came. */
async function get(api: Api, path: string, headers: Record<string, string>): Promise<Raw> {
  const response = await fetch(api.http.url + path, { headers, decompress: false });
  return {
    status: response.status,
    coding: response.headers.get("content-encoding"),
    vary: response.headers.get("vary"),
    length: response.headers.get("content-length"),
    bytes: new Uint8Array(await response.arrayBuffer()),
  };
}

const accept = (encoding: string): Record<string, string> => ({ "accept-encoding": encoding });
const decoders: Record<string, (bytes: Uint8Array) => Uint8Array> = { gzip: gunzipSync, zstd: zstdDecompressSync };
const textOf = ({ coding, bytes }: Raw): string => new TextDecoder().decode(coding ? decoders[coding]!(bytes) : bytes);

async function filled(api: Api, count: number): Promise<string> {
  const queue = uniqueName("coding");
  const payloads = Array.from({ length: count }, (_, n) => ({ n, text: "what people write, again and again" }));
  await api.pushAll(queue, "p", payloads);
  return queue;
}

describe("COMPRESSION=on", () => {
  let api: Api;
  beforeAll(async () => {
    api = await serve({ COMPRESSION: "on" });
  });

  const accepted: [header: string, coding: string | null][] = [
    ["gzip", "gzip"],
    ["gzip, deflate, br", "gzip"],
    ["zstd", "zstd"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=1.0, zstd;q=0.5", "gzip"],
    ["GZIP", "gzip"],
    ["gzip;q=0", null],
    ["identity", null],
    ["br", null],
    ["", null],
  ];
  test.each(accepted)("a client that accepts '%s' gets %s", async (header, coding) => {
    const queue = await filled(api, 100);
    const answer = await get(api, popPath(queue) + query({ batch: 100 }), accept(header));
    expect(answer).toMatchObject({ status: 200, coding, vary: "Accept-Encoding" });
    const { messages } = JSON.parse(textOf(answer));
    expect(messages.map((message: { data: { n: number } }) => message.data.n)).toEqual([...Array(100).keys()]);
    if (coding !== null) expect(answer.bytes.length).toBeLessThan(5_000);
  });

  test.each([1_000, 20_000])("%d messages arrive whole", async (count) => {
    const queue = await filled(api, count);
    for (const coding of ["gzip", "zstd"]) {
      const path = popPath(queue) + query({ batch: count, consumerGroup: coding, partitions: 9 });
      const answer = await get(api, path, accept(coding));
      expect(answer.coding).toBe(coding);
      const { messages } = JSON.parse(textOf(answer));
      expect(messages.map((message: { data: { n: number } }) => message.data.n)).toEqual([...Array(count).keys()]);
    }
  });

  test("an answer of at most 1 KiB is left alone", async () => {
    const queue = await filled(api, 1);
    const answer = await get(api, popPath(queue), accept("gzip"));
    expect(answer).toMatchObject({ status: 200, coding: null, vary: null });
    expect(answer.bytes.length).toBeLessThan(1_024);
    expect(await get(api, popPath(queue), accept("gzip"))).toMatchObject({ status: 204, coding: null });
  });

  test("CBOR is compressed, stored segments are not compressed again", async () => {
    const queue = await filled(api, 300);
    const cbor = await get(api, popPath(queue) + query({ batch: 300, consumerGroup: "a" }), {
      ...accept("gzip"),
      accept: "application/cbor",
    });
    expect(cbor).toMatchObject({ coding: "gzip", vary: "Accept-Encoding" });
    expect((fromCbor(gunzipSync(cbor.bytes)) as { messages: unknown[] }).messages).toHaveLength(300);
    const segments = await get(api, popPath(queue) + query({ batch: 300, consumerGroup: "b" }), {
      ...accept("gzip, zstd"),
      accept: "application/vnd.queen.segments",
    });
    expect(segments).toMatchObject({ status: 200, coding: null, vary: null });
    expect(segments.bytes.length).toBeGreaterThan(1_024);
  });

  test("listings and answers to posts are compressed, too", async () => {
    const queue = uniqueName("coding");
    const items = Array.from({ length: 50 }, () => ({ queue, partition: "p", payload: "x".repeat(50) }));
    const pushed = await fetch(`${api.http.url}/api/v1/push`, {
      method: "POST",
      headers: { "content-type": "application/json", ...accept("gzip") },
      body: JSON.stringify({ items }),
      decompress: false,
    });
    expect([pushed.status, pushed.headers.get("content-encoding")]).toEqual([201, "gzip"]);
    expect(JSON.parse(gunzipSync(await pushed.arrayBuffer()).toString())).toHaveLength(50);
    const messages = await api.pop(queue, { batch: 50 });
    await api.http.post(`/api/v1/lease/${messages[0]!.leaseId}/ack`, { status: "dlq" });
    const list = await get(api, `/api/v1/dlq${query({ queue })}`, accept("zstd"));
    expect(list.coding).toBe("zstd");
    expect(JSON.parse(textOf(list)).messages).toHaveLength(50);
  });

  test("a parked poll is answered compressed", async () => {
    const queue = uniqueName("coding");
    await api.configure(queue);
    const waiting = get(api, popPath(queue) + query({ wait: true, timeout: 20_000 }), accept("gzip"));
    await api.push({ queue, payload: "y".repeat(5_000) });
    const answer = await waiting;
    expect(answer.coding).toBe("gzip");
    expect(JSON.parse(textOf(answer)).messages[0].data).toHaveLength(5_000);
  });
});

describe("to a client on the same machine", () => {
  const everywhere = { HOST: "0.0.0.0" };
  const modes: [what: string, env: Record<string, string | undefined>, coding: string | null][] = [
    ["auto, by default", { ...everywhere, COMPRESSION: undefined }, null],
    ["auto, listening on loopback alone", { COMPRESSION: "auto" }, null],
    ["off", { ...everywhere, COMPRESSION: "off" }, null],
    ["on", { ...everywhere, COMPRESSION: "on" }, "gzip"],
  ];
  test.each(modes)("%s", async (_what, env, coding) => {
    const api = await serve({ NUM_WORKERS: "1", ...env });
    const queue = await filled(api, 50);
    const answer = await get(api, popPath(queue) + query({ batch: 50 }), accept("gzip"));
    expect(answer).toMatchObject({ status: 200, coding, vary: coding === null ? null : "Accept-Encoding" });
    expect(JSON.parse(textOf(answer)).messages).toHaveLength(50);
  });
});
