/**
 * Administrative calls while messages flow: nothing is lost that was not taken away on purpose, nothing answers with a
 * server error, and no cursor sleeps beside messages. What happens when is random; what must hold at the end is not.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type postgres from "postgres";
import { type AckItem, Api, leasedAckOf, messagePath, type Popped, type PushResult } from "../../support/api.ts";
import { openDatabase } from "../../support/database.ts";
import { type Answer, Http } from "../../support/http.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { startServer, type TestServer } from "../../support/server.ts";

setDefaultTimeout(90_000);

const RUN_MS = 4_000;
const pick = (below: number): number => Math.floor(Math.random() * below);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let server: TestServer | undefined;
afterAll(() => server?.stop());

/** A server of its own whose jobs run all the time in tiny batches. */
async function start(): Promise<{ api: Api; sql: postgres.Sql }> {
  await server?.stop();
  server = await startServer({
    env: { RETENTION_INTERVAL: "50", EVICTION_INTERVAL: "50", RETENTION_BATCH_SIZE: "3", EVICTION_BATCH_SIZE: "3" },
  });
  return { api: new Api(new Http(server.url)), sql: await openDatabase(server.dataDir) };
}

/** Runs actors side by side until the time is over. Each does one thing a call; a 5xx or a throw is noted. */
async function carryOut(actors: readonly (() => Promise<unknown>)[]): Promise<string[]> {
  const faults: string[] = [];
  const end = Date.now() + RUN_MS;
  const loop = async (actor: () => Promise<unknown>): Promise<void> => {
    while (Date.now() < end) {
      try {
        const answer = (await actor()) as Answer | undefined;
        if (answer && answer.status >= 500) faults.push(`${answer.status} ${answer.text}`);
      } catch (error) {
        faults.push(String(error));
      }
      await pause(pick(8));
    }
  };
  await Promise.all(actors.map(loop));
  return faults;
}

const newId = (): string => (pick(2) === 0 ? uuidV7() : uniqueName("id"));

/** What must hold of the store once nothing moves any more. */
async function expectSound(sql: postgres.Sql): Promise<void> {
  const sleeping = await sql`
    select from queen.cursors c join queen.queues q on q.id = c.queue_id
    join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
    where c.ready_at = 'infinity' and c.next_offset < p.head and c.lease_id is null`;
  expect(sleeping).toHaveLength(0);
  const orphans = await sql`
    select from queen.cursors c join queen.queues q on q.id = c.queue_id
    where not exists (select from queen.partitions p where p.queue_id = c.queue_id and p.id = c.partition_id)`;
  expect(orphans).toHaveLength(0);
  const torn = await sql`
    select p.name from queen.partitions p join queen.queues q on q.id = p.queue_id
    where p.head - p.tail <> (
        select coalesce(sum(s.message_count), 0) from queen.segments s
        where s.queue_id = p.queue_id and s.partition_id = p.id and s.first_offset >= p.tail)
      or p.tombstone_count <> (
        select count(*) from queen.tombstones t where t.queue_id = p.queue_id and t.partition_id = p.id)`;
  expect(torn.map((row) => row.name)).toEqual([]);
}

describe("while messages flow", () => {
  test("deleting, dead-lettering and retrying single messages, and moving another group about, loses none", async () => {
    const { api, sql } = await start();
    const queue = uniqueName("race");
    await api.configure(queue, { leaseTime: 1, retryLimit: 2 });
    for (const consumerGroup of ["kept", "moved"]) await api.pop(queue, { consumerGroup });
    const known: PushResult[] = [];
    const settled = new Set<string>();

    const pusher = async (): Promise<void> => {
      const partition = `p${pick(4)}`;
      const items = Array.from({ length: 1 + pick(5) }, () => ({ queue, partition, transactionId: newId() }));
      const results = await api.push(...items);
      if (results.some((result) => result.status !== "queued")) throw new Error(JSON.stringify(results));
      known.push(...results);
    };
    const settle = async (messages: Popped[], group: string, statuses: string[]): Promise<void> => {
      const acks: AckItem[] = messages.map((message) => leasedAckOf(message, statuses[pick(statuses.length)]));
      const results = await api.ackBatch(acks, group);
      results.forEach((result, index) => {
        const final = acks[index]!.status === "completed" || result.dlq;
        if (group === "kept" && result.success && final) settled.add(acks[index]!.transactionId);
      });
    };
    const consumer = (group: string) => async (): Promise<void> => {
      const query = { consumerGroup: group, batch: 1 + pick(10), partitions: 1 + pick(3), wait: true, timeout: 200 };
      const messages = (await api.pop(queue, query)).filter(() => pick(10) > 0);
      if (messages.length > 0)
        await settle(messages, group, ["completed", "completed", "completed", "failed", "retry"]);
    };
    const moved = `/api/v1/consumer-groups/moved/queues/${queue}`;
    const admin = async (): Promise<Answer | undefined> => {
      const result = known[Math.max(0, known.length - 1 - pick(30))];
      if (!result) return;
      const path = messagePath({ partitionId: result.partition_id!, transactionId: result.transaction_id });
      const take = async (answer: Answer, done: unknown): Promise<Answer> => {
        if (done === true) settled.add(result.transaction_id);
        return answer;
      };
      switch (pick(7)) {
        case 0: {
          const answer = await api.http.del(path);
          return take(answer, answer.json.success);
        }
        case 1: {
          const answer = await api.http.postRaw(`${path}/dlq`);
          return take(answer, answer.json.movedToDLQ);
        }
        case 2: {
          const [letter] = await api.deadLetters({ queue, limit: 3 });
          return letter && api.http.postRaw(`${messagePath(letter)}/retry`);
        }
        case 3:
          return api.http.post(`${moved}/seek`, { toEnd: true });
        case 4:
          return api.http.post(`${moved}/seek`, { timestamp: new Date(Date.now() - pick(2000)).toISOString() });
        case 5:
          return api.http.del(`${moved}?deleteMetadata=${pick(2) === 0}`);
        default:
          return api.http.postRaw(`${moved}/partitions/p${pick(4)}/seek`);
      }
    };

    const faults = await carryOut([
      pusher,
      pusher,
      consumer("kept"),
      consumer("kept"),
      consumer("moved"),
      admin,
      admin,
      admin,
    ]);
    expect(faults).toEqual([]);
    // Leases run out after a second; two empty waits longer than that mean that nothing is left.
    for (let empty = 0; empty < 2; ) {
      const messages = await api.pop(queue, {
        consumerGroup: "kept",
        batch: 1000,
        partitions: 10,
        wait: true,
        timeout: 1_200,
      });
      if (messages.length === 0) empty += 1;
      else await settle(messages, "kept", ["completed"]);
    }
    expect(known.length).toBeGreaterThan(100);
    expect(known.filter((result) => !settled.has(result.transaction_id))).toEqual([]);
    await expectSound(sql);
    await sql.end();
  });

  test("clearing, deleting and configuring queues, and jobs that expire messages, leave all in order", async () => {
    const { api, sql } = await start();
    const queues = [uniqueName("race"), uniqueName("race"), uniqueName("race")];
    const any = (): string => queues[pick(queues.length)]!;
    const pusher = async (): Promise<void> => {
      const items = Array.from({ length: 1 + pick(5) }, () => ({
        queue: any(),
        partition: `p${pick(3)}`,
        transactionId: newId(),
      }));
      const results = await api.push(...items);
      if (results.some((result) => result.status !== "queued")) throw new Error(JSON.stringify(results));
    };
    const consumer = (group: string) => async (): Promise<void> => {
      const query = { consumerGroup: group, batch: 1 + pick(10), partitions: 1 + pick(3), wait: true, timeout: 50 };
      const messages = await api.pop(any(), query);
      const statuses = ["completed", "failed", "retry"];
      if (messages.length > 0)
        await api.ackBatch(
          messages.map((m) => leasedAckOf(m, statuses[pick(3)])),
          group,
        );
    };
    const admin = async (): Promise<Answer | undefined> => {
      const group = `/api/v1/consumer-groups/${"ab"[pick(2)]}`;
      switch (pick(8)) {
        case 0:
          return api.http.del(`/api/v1/queues/${any()}/clear`);
        case 1:
          return api.http.del(`/api/v1/queues/${any()}/clear?partition=p${pick(3)}`);
        case 2:
          return api.http.del(`/api/v1/resources/queues/${any()}`);
        case 3:
          return api.http.del(group);
        case 4:
          return api.http.post(`${group}/subscription`, {
            subscriptionTimestamp: new Date(Date.now() - pick(1000)).toISOString(),
          });
        default:
          return api.http.post("/api/v1/configure", {
            queue: any(),
            options: {
              leaseTime: 1,
              retryLimit: pick(3),
              retentionEnabled: pick(2) === 0,
              retentionSeconds: pick(2),
              completedRetentionSeconds: pick(2),
              maxWaitTimeSeconds: pick(3) === 0 ? 1 : 0,
            },
          });
      }
    };
    const faults = await carryOut([pusher, pusher, consumer("a"), consumer("a"), consumer("b"), admin, admin, admin]);
    expect(faults).toEqual([]);
    for (const queue of queues) {
      await api.configure(queue, { leaseTime: 1 });
      await api.push({ queue, partition: "p1", payload: "fresh" }, { queue, partition: "p2", payload: "fresh" });
      let fresh = 0;
      for (const end = Date.now() + 8_000; fresh < 2 && Date.now() < end; ) {
        const query = { consumerGroup: "a", batch: 1000, partitions: 10, autoAck: true, wait: true, timeout: 500 };
        fresh += (await api.pop(queue, query)).filter((message) => message.data === "fresh").length;
      }
      expect(fresh).toBe(2);
    }
    await expectSound(sql);
    await sql.end();
  });
});
