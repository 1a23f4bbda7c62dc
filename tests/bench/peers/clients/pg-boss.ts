/**
 * pg-boss. Bulk inserts and fetches of many jobs, completed with one call, as https://pgboss.io/api/jobs says (`insert`,
 * `fetch` with `batchSize`, `complete` with an array of ids); a table of its own for the queue (`partition`, "more useful
 * for large queues", https://pgboss.io/api/queues). Its workers poll at most twice a second when a queue ran dry; a loop of
 * `fetch` does not, so it is what is used here. Ordered: the policy `key_strict_fifo` of https://pgboss.io/api/queues,
 * which hands out one job of a key at a time.
 *
 * @module
 */

import { PgBoss } from "pg-boss";
import type { Messages, Payload } from "../messages.ts";
import type { ClientSpec, PeerClient } from "../peer.ts";
import { takeInTurns } from "../sink.ts";
import { createDatabase, packageVersion, postgresDurability } from "./postgres-peer.ts";

/** Connections. The default of 10 in batch mode; in single mode one for each call under way. */
const CONNECTIONS = { batch: 10, single: 50 };
const EMPTY_WAIT_MS = 5;

/**
 * Opens pg-boss.
 *
 * @param spec - `endpoints.postgres` is needed.
 * @param ordered - Whether jobs of a key must keep their order.
 * @returns The client.
 */
export async function openPgBoss(spec: ClientSpec, ordered: boolean): Promise<PeerClient> {
  const single = spec.mode === "single";
  const connection = await createDatabase(spec);
  const boss = new PgBoss({ ...connection, max: CONNECTIONS[spec.mode] });
  const failures: unknown[] = [];
  boss.on("error", (error) => failures.push(error));
  await boss.start();
  const batchSize = single ? 1 : 1000;
  return {
    producers: single ? 50 : 4,
    perPush: batchSize,
    prepare: async (queue) => {
      await boss.createQueue(queue, { policy: ordered ? "key_strict_fifo" : "standard", partition: true });
    },
    push: async (queue: string, messages: Messages, indexes: number[]) => {
      // Jobs of one insert have the same creation time, and ids decide then; random ids would lose the order.
      const option = (index: number) => (ordered ? { singletonKey: messages.key(index), id: Bun.randomUUIDv7() } : {});
      if (single) {
        const [index] = indexes as [number];
        await boss.send(queue, messages.payloads[index], option(index));
      } else {
        await boss.insert(
          queue,
          indexes.map((index) => ({ data: messages.payloads[index], ...option(index) })),
        );
      }
    },
    take: async (queue, sink) => {
      const step = async () => {
        const jobs = await boss.fetch<Payload>(queue, { batchSize });
        if (jobs.length === 0) return 0;
        for (const { data } of jobs) sink.take(data);
        await boss.complete(
          queue,
          jobs.map(({ id }) => id),
        );
        return jobs.length;
      };
      await takeInTurns(single ? 50 : 4, sink, step, EMPTY_WAIT_MS);
      if (failures.length > 0) throw failures[0];
    },
    durability: () => postgresDurability(spec),
    version: async () => packageVersion("pg-boss"),
    close: () => boss.stop({ graceful: false }),
  };
}
