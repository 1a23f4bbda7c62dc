/**
 * graphile-worker. Batch: `addJobs`, and the settings its documentation reports its own best figures with
 * (https://worker.graphile.org/docs/performance: 24 concurrent jobs, a local queue of 500, completions in batches
 * without a delay). Single: `addJob`, no local queue, no batches, 50 concurrent jobs. Ordered: a named queue for each key,
 * whose jobs run one after another (https://worker.graphile.org/docs/library/add-job), polled every 10 ms.
 *
 * @module
 */

import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { Pool } from "pg";
import type { Messages, Payload } from "../messages.ts";
import type { ClientSpec, PeerClient } from "../peer.ts";
import type { Sink } from "../sink.ts";
import { createDatabase, packageVersion, postgresDurability } from "./postgres-peer.ts";

const silent = new Logger(() => () => undefined);

/** Worker settings by mode; one more connection than concurrent jobs, as in the documentation. */
const SETTINGS = {
  batch: {
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
  // A fetch gives one job of a named queue at most, so it seldom fills the local queue, which then waits for its next
  // poll: with the default of 2 s this was many times slower.
  named: {
    pollInterval: 10,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
  single: {
    concurrentJobs: 50,
    maxPoolSize: 51,
    localQueue: { size: -1 },
    completeJobBatchDelay: -1,
    failJobBatchDelay: -1,
  },
};

/**
 * Opens graphile-worker.
 *
 * @param spec - `endpoints.postgres` is needed.
 * @param ordered - Whether jobs of a key must keep their order.
 * @returns The client.
 */
export async function openGraphileWorker(spec: ClientSpec, ordered: boolean): Promise<PeerClient> {
  const single = spec.mode === "single";
  const settings = SETTINGS[ordered && !single ? "named" : spec.mode];
  const connection = await createDatabase(spec);
  const pgPool = new Pool({ ...connection, max: single ? 50 : 10 });
  pgPool.on("error", () => undefined);
  const utils = await makeWorkerUtils({ pgPool, logger: silent });
  await utils.migrate();

  const take = async (queue: string, sink: Sink) => {
    const workerPool = new Pool({ ...connection, max: settings.maxPoolSize });
    workerPool.on("error", () => undefined);
    let handled = 0;
    const allHandled = Promise.withResolvers<void>();
    const runner = await run({
      preset: { worker: settings },
      pgPool: workerPool,
      logger: silent,
      noHandleSignals: true,
      taskList: {
        [queue]: async (payload) => {
          sink.take(payload as Payload);
          if (++handled === sink.wanted) allHandled.resolve();
        },
      },
    });
    await Promise.race([allHandled.promise, sink.finished]);
    // Completions are written behind the jobs' backs; a runner that has stopped has written all of them.
    await runner.stop();
    sink.acknowledge(handled);
    await workerPool.end();
    const { rows } = await pgPool.query("select count(*)::int as left from graphile_worker._private_jobs");
    if (handled === sink.wanted && rows[0].left > 0) throw new Error(`${rows[0].left} jobs were not completed`);
  };

  return {
    producers: single ? 50 : 4,
    perPush: single ? 1 : 1000,
    prepare: async () => undefined,
    push: async (queue: string, messages: Messages, indexes: number[]) => {
      if (single) {
        const [index] = indexes as [number];
        const queueName = ordered ? messages.key(index) : undefined;
        await utils.addJob(queue, messages.payloads[index], { queueName });
      } else {
        await utils.addJobs(
          indexes.map((index) => ({
            identifier: queue,
            payload: messages.payloads[index],
            queueName: ordered ? messages.key(index) : undefined,
          })),
        );
      }
    },
    take,
    durability: () => postgresDurability(spec),
    version: async () => packageVersion("graphile-worker"),
    close: async () => {
      await utils.release();
      await pgPool.end();
    },
  };
}
