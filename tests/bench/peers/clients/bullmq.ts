/**
 * BullMQ on Redis. `addBulk` (https://docs.bullmq.io/guide/queues/adding-bulks), a worker with a concurrency of 100, the
 * lower end of what https://docs.bullmq.io/guide/parallelism-and-concurrency calls standard (300 brought nothing more
 * here), and finished jobs removed (https://docs.bullmq.io/guide/queues/auto-removal-of-jobs). Order by key is a feature
 * of its commercial edition (groups), so there is no ordered row.
 *
 * @module
 */

import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Messages, Payload } from "../messages.ts";
import type { ClientSpec, PeerClient } from "../peer.ts";
import type { Sink } from "../sink.ts";
import { packageVersion } from "./postgres-peer.ts";

const CONCURRENCY = { batch: 100, single: 50 };

/**
 * Opens BullMQ.
 *
 * @param spec - `endpoints.redisPort` is needed.
 * @returns The client.
 */
export async function openBullmq(spec: ClientSpec): Promise<PeerClient> {
  const single = spec.mode === "single";
  const connection = { host: "127.0.0.1", port: spec.endpoints.redisPort!, maxRetriesPerRequest: null };
  const queues = new Map<string, Queue>();

  const take = async (name: string, sink: Sink) => {
    const worker = new Worker(name, async (job: Job<Payload>) => sink.take(job.data), {
      connection,
      concurrency: CONCURRENCY[spec.mode],
      removeOnComplete: { count: 0 },
    });
    const failure = Promise.withResolvers<never>();
    worker.on("error", failure.reject);
    worker.on("failed", (_job, error) => failure.reject(error));
    worker.on("completed", () => sink.acknowledge(1));
    await Promise.race([sink.finished, failure.promise]);
    await worker.close(true);
  };

  return {
    producers: single ? 50 : 4,
    perPush: single ? 1 : 1000,
    prepare: async (name) => {
      const queue = new Queue(name, { connection });
      await queue.waitUntilReady();
      queues.set(name, queue);
    },
    push: async (name: string, messages: Messages, indexes: number[]) => {
      const queue = queues.get(name)!;
      if (single) await queue.add("message", messages.payloads[indexes[0]!]);
      else await queue.addBulk(indexes.map((index) => ({ name: "message", data: messages.payloads[index] })));
    },
    take,
    durability: async () => {
      const redis = new Redis(connection);
      const [, appendOnly] = (await redis.config("GET", "appendonly")) as string[];
      const [, fsync] = (await redis.config("GET", "appendfsync")) as string[];
      redis.disconnect();
      return `appendonly ${appendOnly}, appendfsync ${fsync}`;
    },
    version: async () => {
      const redis = new Redis(connection);
      const info = await redis.info("server");
      redis.disconnect();
      return `${packageVersion("bullmq")}, Redis ${/redis_version:(\S+)/.exec(info)?.[1]}`;
    },
    close: async () => {
      for (const queue of queues.values()) await queue.close();
    },
  };
}
