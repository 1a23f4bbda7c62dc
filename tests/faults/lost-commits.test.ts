/**
 * A failover to a standby that lacks the last commits, as happens where replication is not synchronous: what was lost is lost, but
 * nothing that the server remembers of it gets into what comes after.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePort } from "../runtime/debian-postgres.ts";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { ReplicatedPostgres, replicationMissing } from "../support/replicated-postgres.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(120_000);

describe.skipIf(replicationMissing !== null)("a failover that loses commits", () => {
  let databases: ReplicatedPostgres;
  let server: TestServer;
  let api: Api;

  beforeAll(async () => {
    databases = new ReplicatedPostgres([await freePort(), await freePort()]);
    await databases.start();
    const hosts = databases.nodes.map(({ host, port }) => `${host}:${port}`).join(",");
    const env = { PG_HOST: hosts, PG_USER: "queen", PG_DB: "postgres", PG_PASSWORD: "", NUM_WORKERS: "1" };
    server = await startServer({ env });
    api = new Api(new Http(server.url));
  });
  afterAll(async () => {
    await server?.stop();
    await databases?.close();
  });

  async function push(queue: string, partition: string, text: string): Promise<string> {
    const items = [{ queue, partition, payload: { text }, transactionId: `id-${text}` }];
    const answer = await api.http.post("/api/v1/push", { items });
    return answer.json?.[0]?.status ?? String(answer.status);
  }
  /** Pushes until it is stored. @returns Of the first answer that is none of trouble. Replayed, it is a duplicate of itself. */
  async function stored(queue: string, partition: string, text: string): Promise<string> {
    let first: string | null = null;
    await until(async () => {
      const status = await push(queue, partition, text);
      if (["queued", "buffered", "duplicate"].includes(status)) first ??= status;
      return status === "queued" || status === "duplicate";
    }, 60_000);
    return first === "buffered" ? "queued" : String(first);
  }
  async function texts(queue: string, partition: string, consumerGroup: string): Promise<unknown[]> {
    const messages = await api.popPartition(queue, partition, { batch: 100, consumerGroup, autoAck: true });
    return messages.map(({ data }) => (data as { text: string }).text);
  }

  test("shows nothing of them: not in place of others, not as duplicates, not under other names", async () => {
    expect(await push("q", "p", "kept")).toBe("queued");
    await databases.letFallBehind();
    for (const text of ["lost 1", "lost 2"]) expect(await push("q", "p", text)).toBe("queued");
    expect(await push("q", "lost partition", "lost 3")).toBe("queued");
    expect(await push("lost queue", "p", "lost 4")).toBe("queued");
    expect(await texts("q", "p", "before")).toEqual(["kept", "lost 1", "lost 2"]);
    expect(await texts("lost queue", "p", "before")).toEqual(["lost 4"]);

    await databases.kill(databases.primary);
    await databases.run(1 - databases.primary);
    await databases.promote();
    expect(await stored("q", "p", "new 1")).toBe("queued");

    expect(await stored("q", "new partition", "new 2")).toBe("queued");
    expect(await stored("new queue", "p", "new 3")).toBe("queued");
    for (const text of ["lost 2", "lost 1"]) expect(await stored("q", "p", text)).toBe("queued");
    expect(await stored("q", "lost partition", "lost 3")).toBe("queued");
    expect(await stored("lost queue", "p", "lost 4")).toBe("queued");

    expect(await texts("q", "p", "after")).toEqual(["kept", "new 1", "lost 2", "lost 1"]);
    expect(await texts("q", "new partition", "after")).toEqual(["new 2"]);
    expect(await texts("q", "lost partition", "after")).toEqual(["lost 3"]);
    expect(await texts("new queue", "p", "after")).toEqual(["new 3"]);
    expect(await texts("lost queue", "p", "after")).toEqual(["lost 4"]);
  });
});
