/**
 * Clients that open more connections than the process may have files: it must outlive that, and serve those who are connected.
 */
import { afterAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { startServer, type TestServer } from "../support/server.ts";
import { until, untilTime } from "../support/wait.ts";
import { Wire } from "./overload/wire.ts";

const FILES_MAX = 400;
const WAIT_MS_MAX = 60_000;
const TEST_MS_MAX = 180_000;

let server: TestServer | undefined;
const wires: Wire[] = [];
afterAll(async () => {
  for (const wire of wires) wire.close();
  await server?.stop();
});

const ask = (wire: Wire) => {
  const asked = Buffer.from("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  return new Promise<number>((resolve) => wire.send(asked, (status) => resolve(status)));
};

const push = async (url: string) => {
  const body = JSON.stringify({ items: [{ queue: "open-files", payload: 1 }] });
  const headers = { "content-type": "application/json", connection: "close" };
  return (await fetch(`${url}/api/v1/push`, { method: "POST", body, headers })).status;
};

test.skipIf(process.platform !== "linux")(
  "a server that may open no more files goes on, and recovers",
  async () => {
    const serve = `ulimit -n ${FILES_MAX} && exec "${process.execPath}" run server/main.ts serve`;
    server = await startServer({ command: ["sh", "-c", serve], env: { METRICS_SAMPLE_INTERVAL_MS: "100" } });
    const { url, port, pid } = server;
    expect(await push(url)).toBe(201);
    const kept = await Wire.open("127.0.0.1", port);
    wires.push(kept);
    expect(await ask(kept)).toBe(200);
    // The kernel takes them all; the server can only accept some.
    wires.push(...(await Promise.all(Array.from({ length: FILES_MAX + 200 }, () => Wire.open("127.0.0.1", port)))));
    await until(() => readdirSync(`/proc/${pid}/fd`).length >= FILES_MAX - 2, WAIT_MS_MAX, "no more files");
    // As long as many measurements take.
    await untilTime(Date.now() + 1_500);
    expect(await ask(kept)).toBe(200);
    for (const wire of wires.splice(0)) wire.close();
    const answered = await until(() => push(url).catch(() => null), WAIT_MS_MAX, "a push");
    expect(answered).toBe(201);
  },
  TEST_MS_MAX,
);
