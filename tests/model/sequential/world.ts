/**
 * A queue on a server and its reference side by side.
 *
 * @module
 */
import { expect } from "bun:test";
import type postgres from "postgres";
import type { Api, Popped } from "../../support/api.ts";
import type { Random } from "../../support/random.ts";
import { type ReferencePartition, ReferenceQueue } from "./reference.ts";

/** Options of the queue under test. */
export const RETRY_LIMIT = 2;
/** Never ends by itself during a run: tests end leases by moving their deadline. */
export const LEASE_TIME_S = 3_600;
export const PARTITIONS = ["Default", "p0", "p1", "p2", "p3"];
/** `fresh` subscribes to new messages only. */
export const GROUPS = ["__QUEUE_MODE__", "g1", "g2", "fresh"];

/** What an operation works on. */
export interface World {
  api: Api;
  sql: postgres.Sql;
  random: Random;
  queue: string;
  reference: ReferenceQueue;
  /** Deliveries under leases, latest last, for acknowledgements in time and late ones. */
  delivered: Popped[][];
  /** Transaction ids that were ever used, by partition. */
  used: Map<string, string[]>;
  partitionIds: Map<string, string>;
}

/** @returns The world of a new queue on a server. */
export async function createWorld(api: Api, sql: postgres.Sql, random: Random, queue: string): Promise<World> {
  const world = { api, sql, random, queue } as World;
  await resetWorld(world);
  return world;
}

/** Makes the queue, which does not exist, and starts again. */
export async function resetWorld(world: World): Promise<void> {
  world.reference = new ReferenceQueue(RETRY_LIMIT);
  world.delivered = [];
  world.used = new Map();
  world.partitionIds = new Map();
  const answer = await world.api.configure(world.queue, { leaseTime: LEASE_TIME_S, retryLimit: RETRY_LIMIT });
  world.partitionIds.set("Default", answer.partitionId);
  world.reference.partition("Default");
}

/**
 * Of a delivery, what was not deleted and pushed anew since: its id would mean two messages. Nothing, when the failure of
 * a message would make a forgotten group known that means to subscribe to new messages only.
 */
export function nameable(world: World, delivery: readonly Popped[]): Popped[] {
  const group = delivery[0]?.consumerGroup;
  if (group === "fresh" && !world.reference.groups.has(group)) return [];
  return delivery.filter(({ partition, transactionId }) => {
    const { log } = world.reference.partition(partition);
    return log.filter((message) => message.transactionId === transactionId).length === 1;
  });
}

interface CursorRow {
  partition: string;
  group: string;
  next_offset: number;
  resolved: string | null;
  lease_id: string | null;
  live: boolean;
  ready: boolean;
  drained: boolean;
}

async function readCursors(world: World): Promise<CursorRow[]> {
  return await world.sql<CursorRow[]>`
    select p.name as partition, g.name as group, c.next_offset::int, c.resolved::text, c.lease_id::text,
           c.lease_id is not null and c.lease_expires_at > clock_timestamp() as live,
           c.ready_at <= clock_timestamp() as ready, c.ready_at = 'infinity' as drained
    from queen.cursors c
    join queen.queues q on q.id = c.queue_id
    join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
    join queen.consumer_groups g on g.queue_id = c.queue_id and g.id = c.group_id
    where q.name = ${world.queue} order by 1, 2`;
}

async function readCounts(world: World, table: "retries" | "dead_letters"): Promise<Record<string, number>> {
  const rows = await world.sql<{ key: string; failure_count: number }[]>`
    select p.name || ' ' || g.name || ' ' || t.message_offset as key, t.failure_count
    from ${world.sql(`queen.${table}`)} t
    join queen.queues q on q.id = t.queue_id
    join queen.partitions p on p.queue_id = t.queue_id and p.id = t.partition_id
    join queen.consumer_groups g on g.queue_id = t.queue_id and g.id = t.group_id
    where q.name = ${world.queue} and (${table} = 'dead_letters' or t.failure_count > 0)`;
  return Object.fromEntries(rows.map((row) => [row.key, row.failure_count]));
}

function inRanges(text: string | null, offset: number): boolean {
  for (const match of (text ?? "").matchAll(/\[(\d+),(\d+)\)/g)) {
    if (offset >= Number(match[1]) && offset < Number(match[2])) return true;
  }
  return false;
}

function openOf(row: CursorRow, partition: ReferencePartition): number[] {
  const open: number[] = [];
  for (let offset = Math.max(row.next_offset, partition.tail); offset < partition.log.length; offset += 1) {
    if (!inRanges(row.resolved, offset) && !partition.log[offset]!.deleted) open.push(offset);
  }
  return open;
}

/** Compares everything the store holds of the queue with the reference. */
export async function compareWorld(world: World): Promise<void> {
  const { reference, sql, queue } = world;
  const partitions = await sql<{ name: string; head: number; tail: number; tombstones: number }[]>`
    select p.name, p.head::int, p.tail::int, p.tombstone_count as tombstones from queen.partitions p
    join queen.queues q on q.id = p.queue_id where q.name = ${queue} order by 1`;
  const expectedPartitions = [...reference.partitions.values()].map(({ name, log, tail }) => ({
    name,
    head: log.length,
    tail,
    tombstones: log.slice(tail).filter((message) => message.deleted).length,
  }));
  expect([...partitions]).toEqual(expectedPartitions.sort((a, b) => (a.name < b.name ? -1 : 1)));

  const cursors = await readCursors(world);
  const found = cursors.map((row) => {
    const partition = reference.partition(row.partition);
    const open = openOf(row, partition);
    // Whoever has something to consume and is free must be found by a pop; whoever is drained must have nothing.
    if (open.length > 0 && !row.live) expect(row).toMatchObject({ ready: true });
    if (row.drained) expect(row.next_offset).toBeGreaterThanOrEqual(partition.log.length);
    return { partition: row.partition, group: row.group, open, lease: row.live ? row.lease_id : null };
  });
  const expected = [...reference.partitions.values()].flatMap((partition) =>
    [...partition.cursors].map(([group, { lease }]) => ({
      partition: partition.name,
      group,
      open: reference.open(partition, group),
      lease: lease?.live ? lease.id : null,
    })),
  );
  expect(found).toEqual(expected.sort((a, b) => (`${a.partition} ${a.group}` < `${b.partition} ${b.group}` ? -1 : 1)));

  const retries: Record<string, number> = {};
  const dead: Record<string, number> = {};
  for (const partition of reference.partitions.values()) {
    for (const [group, { failures }] of partition.cursors) {
      for (const [offset, count] of failures) retries[`${partition.name} ${group} ${offset}`] = count;
    }
    for (const [key, count] of partition.dead) dead[`${partition.name} ${key}`] = count;
  }
  expect(await readCounts(world, "retries")).toEqual(retries);
  expect(await readCounts(world, "dead_letters")).toEqual(dead);
}
