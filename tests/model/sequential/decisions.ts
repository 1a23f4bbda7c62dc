/**
 * Operations that say what became of messages: acknowledgements in time, late, twice and without a lease, and the
 * administrative verbs.
 *
 * @module
 */
import { expect } from "bun:test";
import { type AckResult, messagePath, type Popped } from "../../support/api.ts";
import type { ReferenceAck } from "./reference.ts";
import { GROUPS, nameable, PARTITIONS, resetWorld, type World } from "./world.ts";

const STATUSES = { completed: 8, success: 1, failed: 4, retry: 1, dlq: 1, nonsense: 0.3 };

/** A delivery to speak about: mostly one of the latest. */
function drawDelivery(world: World): Popped[] {
  const { random, delivered } = world;
  return random.chance(0.7) ? random.pick(delivered.slice(-4)) : random.pick(delivered);
}

/** Checks the answers of one request, and does in the reference what they say. */
function expectResults(
  world: World,
  acks: readonly Popped[],
  statuses: readonly string[],
  leaseId: string | null,
  answers: readonly AckResult[],
): void {
  const { reference } = world;
  for (const name of new Set(acks.map((message) => message.partition))) {
    const indexes = acks.flatMap((message, index) => (message.partition === name ? [index] : []));
    const said: ReferenceAck[] = indexes.map((index) => ({
      transactionId: acks[index]!.transactionId,
      status: statuses[index]!,
    }));
    const partition = reference.partition(name);
    // A worker may still know the place of a message it handed out that is deleted: then its lease is judged.
    const offsets = indexes.map((index) =>
      answers[index]!.error === "Message not found"
        ? reference.find(partition, acks[index]!.transactionId)
        : reference.recall(partition, acks[index]!.transactionId),
    );
    const group = acks[0]!.consumerGroup;
    const expected = reference.acknowledge(partition, group, leaseId, said, { failedIsFinal: false }, offsets);
    for (const [at, index] of indexes.entries()) {
      const { transactionId } = acks[index]!;
      expect(answers[index]).toMatchObject({ index, transactionId, ...expected[at] });
    }
  }
}

/** Acknowledges some messages of a delivery in one request, in any order. */
export async function ackBatch(world: World): Promise<void> {
  const { random } = world;
  if (world.delivered.length === 0) return;
  const delivery = nameable(world, drawDelivery(world));
  const share = random.pick([1, 1, 0.5]);
  // What makes a forgotten group known again is one partition: with several, their order would matter.
  const known = world.reference.groups.has(delivery[0]?.consumerGroup ?? "");
  const acks = random
    .shuffled(delivery)
    .filter(({ partition }) => random.chance(share) && (known || partition === delivery[0]!.partition));
  if (acks.length === 0) return;
  const uniform = random.chance(0.6) ? random.weighted(STATUSES) : null;
  const statuses = acks.map(() => uniform ?? random.weighted(STATUSES));
  const leaseId = random.chance(0.75) ? delivery[0]!.leaseId : null;
  const answer = await world.api.http.post("/api/v1/ack/batch", {
    consumerGroup: delivery[0]!.consumerGroup,
    acknowledgments: acks.map(({ transactionId, partitionId }, at) => {
      const ack = { transactionId, partitionId, status: statuses[at], error: "as drawn" };
      return leaseId === null ? ack : { ...ack, leaseId };
    }),
  });
  expect(answer.status).toBe(200);
  expectResults(world, acks, statuses, leaseId, answer.json);
}

/** Acknowledges one message. */
export async function ackOne(world: World): Promise<void> {
  const { random } = world;
  if (world.delivered.length === 0) return;
  const delivery = nameable(world, drawDelivery(world));
  if (delivery.length === 0) return;
  const message = random.pick(delivery);
  const status = random.weighted(STATUSES);
  const leaseId = random.chance(0.6) ? message.leaseId : null;
  const { transactionId, partitionId, consumerGroup } = message;
  const result = await world.api.ack({ transactionId, partitionId, consumerGroup, status, leaseId });
  expectResults(world, [message], [status], leaseId, [result]);
}

/** Says one thing of everything under a lease. */
export async function ackLease(world: World): Promise<void> {
  const { random } = world;
  if (world.delivered.length === 0) return;
  const { leaseId, consumerGroup } = drawDelivery(world)[0]!;
  const status = random.weighted({ completed: 4, failed: 2, retry: 1, dlq: 0.5 });
  const answer = await world.api.http.post(`/api/v1/lease/${leaseId}/ack`, { status, consumerGroup });
  const expected = world.reference.acknowledgeLease(consumerGroup, leaseId, status);
  expect(answer.json).toMatchObject({ success: expected.partitions > 0, ...expected });
}

/** Lets the time of a lease run out, by moving its deadline. */
export async function expire(world: World): Promise<void> {
  if (world.delivered.length === 0) return;
  const { leaseId, consumerGroup } = drawDelivery(world)[0]!;
  await world.sql`
    update queen.cursors set lease_expires_at = clock_timestamp() - interval '1 ms', ready_at = clock_timestamp()
    where lease_id = ${leaseId} and lease_expires_at > clock_timestamp()`;
  for (const partition of world.reference.partitions.values()) {
    const lease = partition.cursors.get(consumerGroup)?.lease;
    if (lease?.id === leaseId) lease.live = false;
  }
}

/** Extends a lease, which works as long as it is held. */
export async function extend(world: World): Promise<void> {
  if (world.delivered.length === 0) return;
  const { leaseId, consumerGroup } = drawDelivery(world)[0]!;
  const answer = await world.api.http.post(`/api/v1/lease/${leaseId}/extend`, { seconds: 9_000 });
  const held = [...world.reference.partitions.values()].some((partition) => {
    const lease = partition.cursors.get(consumerGroup)?.lease;
    return lease?.id === leaseId && lease.live;
  });
  expect(answer.json).toMatchObject({ success: held });
}

/** Moves a group on the whole queue: to the end, or behind the creation of some message. */
export async function seek(world: World): Promise<void> {
  const { random, reference, sql, queue, api } = world;
  const group = random.pick(GROUPS);
  const path = `/api/v1/consumer-groups/${group}/queues/${queue}/seek`;
  const segments = await sql<{ name: string; first_offset: number; at: string; micros: string }[]>`
    select p.name, s.first_offset::int, s.created_at::text as at, to_char(s.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as micros
    from queen.segments s join queen.queues q on q.id = s.queue_id
    join queen.partitions p on p.queue_id = s.queue_id and p.id = s.partition_id
    where q.name = ${queue} order by s.created_at, s.first_offset`;
  if (random.chance(0.4) || segments.length === 0) {
    expect((await api.http.post(path, { toEnd: true })).json).toMatchObject({ success: true, seekToEnd: true });
    for (const partition of reference.partitions.values()) reference.seek(group, partition, null);
    return;
  }
  const timestamp = random.pick(segments).micros;
  expect((await api.http.post(path, { timestamp })).json).toMatchObject({ success: true });
  for (const partition of reference.partitions.values()) {
    const next = segments.find((segment) => segment.name === partition.name && segment.micros > timestamp);
    reference.seek(group, partition, next?.first_offset ?? partition.log.length);
  }
}

/** Moves a group on one partition to the end. */
export async function seekPartition(world: World): Promise<void> {
  const { random, reference, queue } = world;
  const group = random.pick(GROUPS);
  const name = random.pick(PARTITIONS);
  const path = `/api/v1/consumer-groups/${group}/queues/${queue}/partitions/${name}/seek`;
  const answer = await world.api.http.postRaw(path);
  expect(answer.json).toMatchObject({ success: reference.partitions.has(name) });
  if (reference.partitions.has(name)) reference.seek(group, reference.partition(name), null);
}

/** One of the verbs on a single message that was pushed at some time. */
export async function message(world: World): Promise<void> {
  const { random, reference, api } = world;
  const partitions = [...reference.partitions.values()].filter(({ log }) => log.length > 0);
  if (partitions.length === 0) return;
  const partition = random.pick(partitions);
  const { transactionId } = random.pick(partition.log.slice(-12));
  const path = messagePath({ partitionId: world.partitionIds.get(partition.name)!, transactionId });
  const verb = random.weighted({ delete: 2, retry: 2, dlq: 1, get: 1 });
  if (verb === "delete") {
    expect((await api.http.del(path)).json).toMatchObject({ success: reference.delete(partition, transactionId) });
  } else if (verb === "retry") {
    const answer = await api.http.postRaw(`${path}/retry`);
    expect(answer.json).toMatchObject({ retried: reference.retry(partition, transactionId) });
  } else if (verb === "dlq") {
    const answer = await api.http.postRaw(`${path}/dlq`);
    expect(answer.json).toMatchObject({ movedToDLQ: reference.moveToDead(partition, transactionId) });
  } else {
    const kept = reference.find(partition, transactionId);
    const answer = (await api.http.get(path)).json;
    expect(answer.id ?? null).toBe(kept < 0 ? null : partition.log[kept]!.id);
  }
}

/** Takes all messages out of the queue or of a partition. */
export async function clear(world: World): Promise<void> {
  const { random, reference, queue, api } = world;
  const name = random.chance(0.7) ? random.pick(PARTITIONS) : null;
  const answer = await api.http.del(`/api/v1/queues/${queue}/clear${name === null ? "" : `?partition=${name}`}`);
  expect(answer.json).toMatchObject({ cleared: true, count: reference.clear(name) });
}

/** Forgets a group. */
export async function forget(world: World): Promise<void> {
  const group = world.random.pick(GROUPS);
  const answer = await world.api.http.del(`/api/v1/consumer-groups/${group}/queues/${world.queue}`);
  expect(answer.json).toMatchObject({ success: true });
  world.reference.forget(group);
}

/** Deletes the queue and makes it anew. */
export async function recreate(world: World): Promise<void> {
  const answer = await world.api.http.del(`/api/v1/resources/queues/${world.queue}`);
  expect(answer.json).toMatchObject({ deleted: true, existed: true });
  await resetWorld(world);
}
