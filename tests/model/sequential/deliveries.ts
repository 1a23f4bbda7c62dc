/**
 * Operations that move messages: push, pop, transactions.
 *
 * @module
 */
import { expect } from "bun:test";
import { type Popped, type PushItem, popPath, query } from "../../support/api.ts";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import type { ReferencePartition } from "./reference.ts";
import { GROUPS, nameable, PARTITIONS, type World } from "./world.ts";

/** @returns An id nobody used: time-ordered, random, or text. */
function newId(world: World): string {
  const kind = world.random.weighted({ v7: 5, old: 1, v4: 1, text: 2 });
  if (kind === "v7") return uuidV7();
  if (kind === "old") return uuidV7(Date.now() - world.random.int(1_000, 1_000_000));
  return kind === "v4" ? crypto.randomUUID() : uniqueName("é");
}

/** @returns Items for a push, some with ids that were used before. */
function drawItems(world: World, count: number): PushItem[] {
  const { random, queue, used } = world;
  return Array.from({ length: count }, () => {
    const partition = random.pick(PARTITIONS);
    const known = used.get(partition) ?? [];
    const transactionId = known.length > 0 && random.chance(0.25) ? random.pick(known) : newId(world);
    used.set(partition, [...known, transactionId]);
    // Some requests are large enough to be parsed by another worker.
    return {
      queue,
      partition,
      transactionId,
      payload: { n: random.int(0, 9), pad: "x".repeat(random.pick([0, 9, 5_000])) },
    };
  });
}

/** Pushes in one request, as JSON or CBOR. */
export async function push(world: World): Promise<void> {
  const items = drawItems(world, world.random.int(1, 8));
  const answer = world.random.chance(0.2)
    ? await world.api.http.postCbor("/api/v1/push", { items })
    : await world.api.http.post("/api/v1/push", { items });
  expect(answer.status).toBe(201);
  for (const [index, { partition, transactionId }] of items.entries()) {
    const result = answer.json[index];
    const expected = world.reference.push(partition!, transactionId!, result.message_id);
    expect(result).toMatchObject({
      index,
      status: expected.status,
      message_id: expected.id,
      transaction_id: transactionId!,
    });
    if (result.partition_id) world.partitionIds.set(partition!, result.partition_id);
  }
}

function noteDelivery(world: World, group: string, messages: readonly Popped[], autoAck: boolean, batch: number): void {
  let left = batch;
  for (const name of new Set(messages.map((message) => message.partition))) {
    const partition = world.reference.partition(name);
    expect(world.reference.candidates(group).map((candidate) => candidate.name)).toContain(name);
    const mine = messages.filter((message) => message.partition === name);
    const taken = world.reference.take(partition, group, left, autoAck ? null : mine[0]!.leaseId);
    expect(mine.map((message) => message.id)).toEqual(taken.map((offset) => partition.log[offset]!.id));
    expect(mine.map((message) => message.transactionId)).toEqual(
      taken.map((offset) => partition.log[offset]!.transactionId),
    );
    left -= taken.length;
  }
  if (!autoAck && messages.length > 0) world.delivered.push([...messages]);
}

/** Pops from any partition. */
export async function popAny(world: World): Promise<void> {
  const { random, reference } = world;
  const group = random.pick(GROUPS);
  const autoAck = random.chance(0.15);
  const batch = random.pick([1, 2, 5, 20, 150]);
  const partitions = random.pick([1, 1, 2, 10]);
  const messages = await world.api.pop(world.queue, {
    consumerGroup: group,
    autoAck,
    batch,
    partitions,
    ...(group === "fresh" ? { subscriptionMode: "new" } : {}),
  });
  reference.register(group, group === "fresh");
  noteDelivery(world, group, messages, autoAck, batch);
  const claimed = new Set(messages.map((message) => message.partition)).size;
  expect(messages.length).toBeLessThanOrEqual(batch);
  expect(claimed).toBeLessThanOrEqual(partitions);
  // It stops only when a budget is used up, or nothing else can be delivered.
  if (messages.length < batch && claimed < partitions)
    expect(reference.candidates(group).map((partition) => partition.name)).toEqual([]);
}

/** Pops from one partition, which may not exist. */
export async function popOne(world: World): Promise<void> {
  const { random, reference } = world;
  const group = random.pick(GROUPS.filter((name) => name !== "fresh"));
  const name = random.pick([...PARTITIONS, "nowhere"]);
  const autoAck = random.chance(0.15);
  const batch = random.pick([1, 2, 5, 150]);
  const answer = await world.api.http.get(popPath(world.queue, name) + query({ consumerGroup: group, autoAck, batch }));
  const messages: Popped[] = answer.status === 204 ? [] : answer.json.messages;
  if (!reference.partitions.has(name)) {
    expect(messages).toEqual([]);
    return;
  }
  reference.register(group);
  const partition = reference.partition(name);
  const free = reference.candidates(group).includes(partition);
  const expected = free ? reference.open(partition, group).slice(0, batch) : [];
  expect(messages.map((message) => message.id)).toEqual(expected.map((offset) => partition.log[offset]!.id));
  noteDelivery(world, group, messages, autoAck, batch);
}

/** Pushes and acknowledges in one transaction, which may be one that must fail as a whole. */
export async function transaction(world: World): Promise<void> {
  const { random, reference, queue } = world;
  const items = drawItems(world, random.int(0, 3));
  const lease =
    world.delivered.length > 0 && random.chance(0.8) ? nameable(world, random.pick(world.delivered.slice(-3))) : [];
  const first = lease[0];
  // What was deleted since may still be known to the worker that handed it out: both answers are right.
  const mine = lease.filter(
    ({ partition, transactionId }) =>
      partition === first?.partition &&
      random.chance(0.7) &&
      reference.find(reference.partition(partition), transactionId) >= 0,
  );
  if (mine.length > 0 && random.chance(0.05)) mine.push({ ...mine[0]!, transactionId: uniqueName("nobody") });
  const acks = reference.groups.has(first?.consumerGroup ?? "") ? mine : [];
  if (items.length + acks.length === 0) return;
  const leaseId = random.chance(0.5) ? (first?.leaseId ?? null) : null;
  const statuses = acks.map(() => random.weighted({ completed: 8, failed: 1, dlq: 1, retry: 0.3 }));
  const answer = await world.api.transaction([
    ...acks.map(({ transactionId, partitionId, consumerGroup }, at) => {
      const ack = { type: "ack", transactionId, partitionId, consumerGroup, status: statuses[at] };
      return leaseId === null ? ack : { ...ack, leaseId };
    }),
    ...items.map((item) => ({ type: "push", items: [item] })),
  ]);
  const ids = items.map(({ partition, transactionId }) => `${partition} ${transactionId}`);
  const kept = items.some(({ partition, transactionId }) => {
    const known = reference.partitions.get(partition!);
    return known !== undefined && reference.find(known, transactionId!) >= 0;
  });
  const partition: ReferencePartition | null = first ? reference.partition(first.partition) : null;
  const cursor = partition?.cursors.get(first!.consumerGroup);
  const leaseLost = leaseId !== null && cursor && !(cursor.lease?.live && cursor.lease.id === leaseId);
  const fails =
    new Set(ids).size < ids.length ||
    kept ||
    statuses.includes("retry") ||
    acks.some((ack) => reference.find(partition!, ack.transactionId) < 0) ||
    (acks.length > 0 && leaseLost);
  expect(answer).toMatchObject({ success: !fails });
  if (fails) return await adoptPartitions(world);
  for (const [at, { partition, transactionId }] of items.entries()) {
    const result = answer.results[acks.length + at];
    expect(reference.push(partition!, transactionId!, result.messageId).status).toBe("queued");
    expect(result).toMatchObject({ success: true, transactionId, queueName: queue });
    world.partitionIds.set(partition!, result.partitionId);
  }
  if (acks.length === 0) return;
  reference.acknowledge(
    partition!,
    first!.consumerGroup,
    leaseId,
    acks.map(({ transactionId }, at) => ({ transactionId, status: statuses[at]! })),
    { failedIsFinal: true },
  );
}

/** A transaction that fails may leave empty partitions behind. */
async function adoptPartitions({ sql, queue, reference }: World): Promise<void> {
  const rows = await sql<{ name: string }[]>`
    select p.name from queen.partitions p join queen.queues q on q.id = p.queue_id where q.name = ${queue} and p.head = 0`;
  for (const { name } of rows) reference.partition(name);
}
