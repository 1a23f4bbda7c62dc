/**
 * Actors that put messages in and take them out of turn: producers, one that deletes, one that gives dead letters back.
 *
 * @module
 */
import { messagePath, type PushItem, type PushResult } from "../../support/api.ts";
import type { Random } from "../../support/random.ts";
import { timed } from "../history/history.ts";
import type { Scene } from "./scene.ts";

/**
 * Pushes new messages and repeats of any producer's, in requests of one or several partitions, some of them steered to
 * another worker by a first item for another queue.
 */
export async function produce(scene: Scene, random: Random): Promise<void> {
  while (await scene.proceed()) {
    const items = Array.from({ length: random.pick([1, 1, 2, 5, 12]) }, () =>
      scene.repeatable.length > 0 && random.chance(0.25)
        ? random.pick(scene.repeatable.slice(-40))
        : scene.newItem(random),
    );
    // As clients do: the same ids again until there is an answer.
    while (!(await pushItems(scene, random, items))) await scene.up;
  }
}

/** Pushes items in one request and notes what became of them. */
export async function pushItems(scene: Scene, random: Random, items: readonly PushItem[]): Promise<boolean> {
  const { http } = scene.api(random);
  const steer = random.chance(0.3) ? [{ queue: `${scene.queue}-steer-${random.int(0, 3)}`, payload: 0 }] : [];
  const body = { items: [...steer, ...items] };
  const { start, end, value } = await timed(() =>
    random.chance(0.2) ? http.postCbor("/api/v1/push", body) : http.post("/api/v1/push", body),
  );
  const answered = value?.status === 201;
  if (value && !answered) throw new Error(`push: ${value.status} ${value.text}`);
  const results: PushResult[] = answered ? value.json.slice(steer.length) : [];
  for (const [at, { partition, transactionId }] of items.entries()) {
    const result = results[at];
    const outcome = result ? result.status : "unknown";
    if (outcome === "failed") throw new Error(`push: ${JSON.stringify(result)}`);
    const messageId = result?.message_id ?? null;
    scene.history.pushes.push({ start, end, partition: partition!, transactionId: transactionId!, outcome, messageId });
    if (result?.partition_id) scene.partitionIds.set(partition!, result.partition_id);
    // A buffered one may be in the log already, its first answer lost: deleted from there, the replay would store it anew.
    if (result && outcome !== "buffered" && transactionId!.startsWith("private")) scene.deletable.push(items[at]!);
  }
  return answered;
}

/** Deletes messages that nobody pushes twice. */
export async function remove(scene: Scene, random: Random): Promise<void> {
  while (await scene.proceed()) {
    const item = scene.deletable.shift();
    const partitionId = item && scene.partitionIds.get(item.partition!);
    if (!item || !partitionId) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    const { transactionId, partition } = item;
    const path = messagePath({ partitionId, transactionId: transactionId! });
    const { start, end, value } = await timed(() => scene.api(random).http.del(path));
    if (value?.json.success !== false || scene.mayRepeat) {
      const by = value?.json.success === true ? end : Number.POSITIVE_INFINITY;
      scene.history.resets.push({
        start,
        end: by,
        effect: "remove",
        group: null,
        partition: partition!,
        transactionId: transactionId!,
      });
    }
  }
}

/** Gives dead-lettered messages back, now and then. */
export async function revive(scene: Scene, random: Random): Promise<void> {
  while (await scene.proceed()) {
    const letter = scene.dead.length > 3 ? scene.dead.splice(random.int(0, scene.dead.length - 1), 1)[0] : undefined;
    if (!letter) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    const { partition, transactionId } = letter;
    const path = `${messagePath({ partitionId: scene.partitionIds.get(partition)!, transactionId })}/retry`;
    const { start, end } = await timed(() => scene.api(random).http.postRaw(path));
    scene.history.resets.push({ start, end, effect: "back", group: null, partition, transactionId });
  }
}
