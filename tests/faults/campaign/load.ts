/**
 * The clients of a campaign: the actors of the concurrent model, without those that lose messages when an answer is lost.
 *
 * @module
 */
import { dawdle, forgetLeases, steady, wander, work } from "../../model/concurrent/consumer.ts";
import { produce, remove, revive } from "../../model/concurrent/producer.ts";
import type { Scene } from "../../model/concurrent/scene.ts";
import type { Random } from "../../support/random.ts";

/** Groups and who consumes for them. */
const GROUPS = { steady, work, slow: dawdle, loose: forgetLeases, seeker: wander };

/** Names of the groups that consume. */
export const LOAD_GROUPS: readonly string[] = Object.keys(GROUPS);

/**
 * Lets the clients loose on a scene, until it is over.
 *
 * @returns What ended a client before its time, in words.
 */
export async function load(scene: Scene, random: Random): Promise<string[]> {
  const actors = [
    ...[1, 2, 3].map(() => produce(scene, random.fork())),
    remove(scene, random.fork()),
    revive(scene, random.fork()),
    ...Object.entries(GROUPS).flatMap(([group, act]) => [1, 2].map(() => act(scene, random.fork(), group))),
  ];
  const ends = await Promise.allSettled(actors);
  return ends.flatMap((end) =>
    end.status === "rejected" ? [`a client was told what no client may be: ${end.reason}`] : [],
  );
}
