import { describe, expect, test } from "bun:test";
import { jobCounters, startJobs } from "../../../workers/engine/jobs.ts";
import { cursorSweep } from "../../../workers/storage/retention.ts";
import { uniqueName } from "../../support/names.ts";
import { until } from "../../support/wait.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine({ retentionIntervalMs: 20, evictionIntervalMs: 20 });

async function readyAt(queueId: number): Promise<string> {
  const [row] = await engine.sql`select ready_at::text as at from queen.cursors where queue_id = ${queueId}`;
  return row!.at;
}

describe("cursorSweep()", () => {
  test("finds nothing to repair where nothing was lost", async () => {
    const queue = uniqueName("sweep");
    const queueId = await engine.queue(queue);
    const partitionId = await engine.push(queue, "p", ["a", "b"]);
    await engine.cursorAt(queueId, partitionId, "g", 2);
    expect(await cursorSweep(engine.sql, 60)).toEqual([]);
    expect(await readyAt(queueId)).toBe("infinity");
  });

  test("repairs a cursor that sleeps although there is more, once", async () => {
    const queue = uniqueName("sweep");
    const queueId = await engine.queue(queue);
    const partitionId = await engine.push(queue, "p", ["a", "b"]);
    await engine.cursorAt(queueId, partitionId, "g", 1);
    await engine.sql`update queen.cursors set ready_at = 'infinity' where queue_id = ${queueId}`;
    expect(await cursorSweep(engine.sql, 60)).toMatchObject([{ queue_id: queueId, partition_id: partitionId }]);
    expect(await readyAt(queueId)).not.toBe("infinity");
    expect(await cursorSweep(engine.sql, 60)).toEqual([]);
  });

  test("looks only at what was pushed lately", async () => {
    const queue = uniqueName("sweep");
    const queueId = await engine.queue(queue);
    const partitionId = await engine.push(queue, "p", ["a"]);
    await engine.cursorAt(queueId, partitionId, "g", 0);
    await engine.sql`update queen.cursors set ready_at = 'infinity' where queue_id = ${queueId}`;
    await engine.age(queueId, 120);
    expect(await cursorSweep(engine.sql, 60)).toEqual([]);
  });
});

describe("startJobs()", () => {
  test("runs at its intervals, goes on after a failure, and ends when told to, twice if need be", async () => {
    const queueId = await engine.queue(uniqueName("jobs"), { retention_enabled: true, retention_s: 1 });
    const [queue] = await engine.sql`select name from queen.queues where id = ${queueId}`;
    const failures = jobCounters.failures;
    const jobs = startJobs(engine.context);
    try {
      await engine.sql`alter table queen.queues rename to hidden`;
      await until(() => jobCounters.failures > failures, 5_000, "a failed run");
      await engine.sql`alter table queen.hidden rename to queues`;
      expect(engine.logged.some((line) => line.event === "job_failed")).toBe(true);
      await engine.push(queue!.name, "p", ["a"]);
      await engine.age(queueId, 2);
      await until(
        async () => (await engine.sql`select from queen.segments where queue_id = ${queueId}`).length === 0,
        5_000,
        "retention",
      );
    } finally {
      await jobs.stop();
      await jobs.stop();
    }
    const [row] = await engine.sql`
      select count(*)::integer as open from pg_stat_activity where application_name = 'queen test jobs' and datname = current_database()`;
    expect(row!.open).toBe(0);
    expect(jobCounters.sweepRepairs).toBe(0);
  });
});
