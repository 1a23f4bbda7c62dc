/**
 * Actors that consume, well and badly.
 *
 * @module
 */
import type { Popped } from "../../support/api.ts";
import type { Random } from "../../support/random.ts";
import { untilTime } from "../../support/wait.ts";
import { acknowledge, acknowledgeLease, extend, pop, seek, transact, type Verdict } from "./calls.ts";
import type { Scene } from "./scene.ts";

/** Poison fails, whatever its consumer thinks; the rest as said. */
export function judged(messages: readonly Popped[], status: (message: Popped) => Verdict["status"]): Verdict[] {
  return messages.map((message) => ({
    message,
    status: message.transactionId.startsWith("poison") ? "failed" : status(message),
  }));
}

async function take(scene: Scene, random: Random, group: string, autoAck = false): Promise<Popped[]> {
  const params = {
    batch: random.pick([1, 3, 10, 120]),
    partitions: random.pick([1, 1, 3, 10]),
    autoAck,
    wait: random.chance(0.3),
    timeout: 200,
  };
  const partition = random.chance(0.3) ? random.pick(scene.partitions) : null;
  // A client that goes away loses what it had consumed on delivery.
  const abortMs = !autoAck && random.chance(0.03) ? random.int(1, 15) : null;
  return await pop(scene, random, group, params, partition, abortMs);
}

/** Says its verdicts in one of the ways clients do. */
async function speak(scene: Scene, random: Random, verdicts: readonly Verdict[], leased: boolean): Promise<void> {
  const way = random.weighted({ batch: 10, singles: 2, partly: 2, twice: 2 });
  if (way === "batch") await acknowledge(scene, random, random.shuffled(verdicts), leased);
  if (way === "partly") await acknowledge(scene, random, verdicts.slice(random.int(0, 1), random.int(1, 4)), leased);
  if (way === "singles") {
    const few = random.shuffled(verdicts).slice(0, 6);
    await Promise.all(few.map((verdict) => acknowledge(scene, random, [verdict], leased)));
  }
  if (way === "twice") {
    await Promise.all([acknowledge(scene, random, verdicts, leased), acknowledge(scene, random, verdicts, leased)]);
  }
}

/** Consumes properly, with failures, retries, dead letters, transactions and extensions. */
export async function work(scene: Scene, random: Random, group: string): Promise<void> {
  while (await scene.proceed()) {
    const messages = await take(scene, random, group);
    if (messages.length === 0) continue;
    const way = random.weighted({ done: 6, lease: 3, mixed: 3, transaction: 1.5, extend: 1, nothing: 0.2 });
    if (way === "nothing") continue;
    if (way === "extend") await extend(scene, random, messages[0]!.leaseId, 2);
    const plain = messages.filter(({ transactionId }) => !transactionId.startsWith("poison"));
    if (way === "lease" && plain.length === messages.length) {
      await acknowledgeLease(scene, random, messages, random.chance(0.1) ? "retry" : "completed");
    } else if (way === "transaction" && plain.length > 0) {
      const some = plain.filter(({ partition }) => partition === plain[0]!.partition).slice(0, random.int(1, 5));
      const failing = random.chance(0.1);
      const verdicts = judged(some, () => (failing ? "failed" : "completed"));
      await transact(scene, random, verdicts, [scene.ownItem(random), scene.ownItem(random)]);
    } else {
      const status = () => random.weighted({ completed: 8, failed: 2, retry: 1, dlq: 1 });
      await speak(scene, random, judged(messages, way === "mixed" ? status : () => "completed"), true);
    }
  }
}

/** Completes everything, poison too, at once: nothing comes twice but for a lost answer. */
export async function steady(scene: Scene, random: Random, group: string): Promise<void> {
  while (await scene.proceed()) {
    const messages = await pop(scene, random, group, { batch: random.pick([10, 50]), partitions: 3 });
    const verdicts = messages.map((message) => ({ message, status: "completed" as const }));
    if (random.chance(0.3)) await speak(scene, random, verdicts, true);
    else await acknowledge(scene, random, verdicts, true);
  }
}

/** Lets many leases run out, and acknowledges too late. */
export async function dawdle(scene: Scene, random: Random, group: string): Promise<void> {
  while (await scene.proceed()) {
    const messages = await take(scene, random, group);
    if (messages.length === 0) continue;
    const verdicts = judged(messages, () => "completed");
    if (random.chance(0.15)) await untilTime(Date.now() + scene.history.leaseMs + random.int(-60, 200));
    await acknowledge(scene, random, verdicts, true);
  }
}

/** Acknowledges without naming leases. */
export async function forgetLeases(scene: Scene, random: Random, group: string): Promise<void> {
  while (await scene.proceed()) {
    const messages = await take(scene, random, group);
    const status = () => random.weighted({ completed: 10, failed: 1, retry: 0.5 });
    if (messages.length > 0) await speak(scene, random, judged(messages, status), false);
  }
}

/** Consumes on delivery. */
export async function consume(scene: Scene, random: Random, group: string): Promise<void> {
  while (await scene.proceed()) await take(scene, random, group, true);
}

/** Consumes a group that is moved about. */
export async function wander(scene: Scene, random: Random, group: string): Promise<void> {
  while (await scene.proceed()) {
    if (random.chance(0.08)) await seek(scene, random, group);
    const messages = await take(scene, random, group);
    await acknowledge(
      scene,
      random,
      judged(messages, () => "completed"),
      true,
    );
  }
}
