/**
 * A spool on a disk that runs full: pushes are refused while it is, and what was answered is delivered.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Api, payloads } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { startServer } from "../support/server.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(60_000);
const disk = mountSmallDisk(2);
if (disk === null) console.warn("skipped: a small file system cannot be mounted here");
const folder = disk?.folder ?? "";
afterAll(() => disk?.remove());

test.if(disk !== null)("a full disk refuses pushes, and takes them again when there is room", async () => {
  const server = await startServer({ env: { FILE_BUFFER_DIR: folder } });
  try {
    const api = new Api(new Http(server.url));
    const queue = uniqueName("disk");
    await api.http.post("/api/v1/system/maintenance", { enabled: true });
    const ballast = join(folder, "ballast");
    writeFileSync(ballast, Buffer.alloc(1024 * 1024));
    const kept: string[] = [];
    const push = async (): Promise<boolean> => {
      const payload = Buffer.from(crypto.getRandomValues(new Uint8Array(100_000))).toString("base64");
      const answer = await api.http.post("/api/v1/push", { items: [{ queue, partition: "p", payload }] });
      if (answer.status === 201) kept.push(payload);
      else expect(answer).toMatchObject({ status: 503, json: { error: expect.stringContaining("write failed") } });
      return answer.status === 201;
    };
    await until(async () => !(await push()), 20_000, "a full disk");
    expect(kept.length).toBeGreaterThan(2);
    expect((await api.http.get("/api/v1/system/maintenance")).json).toMatchObject({
      bufferHealthy: false,
      bufferedMessages: kept.length,
    });
    rmSync(ballast);
    expect(await push()).toBe(true);
    expect((await api.http.get("/api/v1/system/maintenance")).json.bufferHealthy).toBe(true);
    // Full again, and drained all the same.
    await until(async () => !(await push()), 20_000, "a full disk");
    await api.http.post("/api/v1/system/maintenance", { enabled: false });
    await until(
      async () => (await api.http.get("/api/v1/status/buffers")).json.pending === 0,
      20_000,
      "an empty buffer",
    );
    expect(payloads(await api.pop(queue, { batch: 100, autoAck: true }))).toEqual(kept);
    expect((await api.push({ queue, payload: 1 }))[0]!.status).toBe("queued");
  } finally {
    await server.stop();
  }
});
