/**
 * A concurrent run: all actors at once, then every group drains the queue, then the history is checked.
 *
 * @module
 */
import { expect } from "bun:test";
import type postgres from "postgres";
import type { Random } from "../../support/random.ts";
import { until } from "../../support/wait.ts";
import { checkHistory } from "../history/checks.ts";
import { writeHistory } from "../history/file.ts";
import { acknowledge, pop } from "./calls.ts";
import { consume, dawdle, forgetLeases, judged, wander, work } from "./consumer.ts";
import { produce, remove, revive } from "./producer.ts";
import type { Scene } from "./scene.ts";

const DRAIN_MS_MAX = 60_000;
/** Groups and who consumes for them. Auto-ack only where no answer can get lost. */
const GROUPS = { work, slow: dawdle, loose: forgetLeases, seeker: wander, auto: consume };

/** Everything that is wrong with the stored state as such, at any instant. */
async function brokenState(sql: postgres.Sql): Promise<unknown[]> {
  const rows = await sql`
    select 'lost wake-up' as what, c.* from queen.cursors c
    join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
    where c.ready_at = 'infinity' and c.next_offset < p.head
    union all
    select 'sleeping lease', c.* from queen.cursors c
    where c.lease_id is not null and c.ready_at > greatest(c.lease_expires_at, clock_timestamp())
    union all
    select 'lease behind the cursor', c.* from queen.cursors c where c.lease_end <= c.next_offset
    union all
    select 'beyond the head', c.* from queen.cursors c
    join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
    where c.next_offset > p.head or c.lease_end > p.head`;
  return [...rows];
}

/** Consumes for a group until nothing of it is left. */
async function drain(scene: Scene, sql: postgres.Sql, random: Random, group: string): Promise<void> {
  const left = async () => {
    const messages = await pop(scene, random, group, { batch: 200, partitions: 10, autoAck: group === "auto" });
    if (group !== "auto")
      await acknowledge(
        scene,
        random,
        judged(messages, () => "completed"),
        true,
      );
    if (messages.length > 0) return false;
    const [row] = await sql<{ open: number }[]>`
      select count(*)::int as open from queen.cursors c
      join queen.queues q on q.id = c.queue_id
      join queen.consumer_groups g on g.queue_id = c.queue_id and g.id = c.group_id
      join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
      where q.name = ${scene.queue} and g.name = ${group} and c.next_offset < p.head`;
    return row!.open === 0;
  };
  await until(left, DRAIN_MS_MAX, `an empty queue for ${group}`);
}

/**
 * Lets all actors loose on a scene.
 *
 * @param groups - Which groups consume; all unless told.
 */
export async function act(
  scene: Scene,
  sql: postgres.Sql,
  random: Random,
  groups: readonly (keyof typeof GROUPS)[] = Object.keys(GROUPS) as (keyof typeof GROUPS)[],
): Promise<void> {
  const inspect = async () => {
    while (!scene.over) {
      expect(await brokenState(sql)).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  };
  await Promise.all([
    ...[1, 2, 3].map(() => produce(scene, random.fork())),
    remove(scene, random.fork()),
    revive(scene, random.fork()),
    ...groups.flatMap((group) => [1, 2].map(() => GROUPS[group](scene, random.fork(), group))),
    inspect(),
  ]);
}

/**
 * Drains what actors left and checks everything.
 *
 * @returns The violations, in words.
 */
export async function settled(
  scene: Scene,
  sql: postgres.Sql,
  random: Random,
  groups: readonly string[],
): Promise<string[]> {
  await Promise.all(groups.map((group) => drain(scene, sql, random.fork(), group)));
  const broken = (await brokenState(sql)).map((row) => `broken state: ${JSON.stringify(row)}`);
  await scene.readLog(sql);
  await scene.readDeadLetters();
  return [...broken, ...checkHistory(scene.history, groups)];
}

/**
 * As {@link settled}, for tests.
 *
 * @throws Error that names the first violations, and a file with the history.
 */
export async function settle(
  scene: Scene,
  sql: postgres.Sql,
  random: Random,
  groups: readonly string[] = Object.keys(GROUPS),
): Promise<void> {
  const violations = await settled(scene, sql, random, groups);
  if (violations.length === 0) return;
  const file = writeHistory(scene.history, groups, scene.queue);
  throw new Error(`${violations.length} violations, history in ${file}:\n${violations.slice(0, 12).join("\n")}`);
}
