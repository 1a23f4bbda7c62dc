/**
 * Pops that wait for a queue or a partition that does not exist yet, as a group that skips history: what is pushed after the
 * pop came is no history, whichever of the two transactions is first.
 */
import { beforeAll, expect, test } from "bun:test";
import { LeaseBook } from "../../../workers/engine/lease-book.ts";
import { Popper } from "../../../workers/engine/pop.ts";
import { PARKED_SLOTS, type PopParams } from "../../../workers/protocol.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();
let popper: Popper;

beforeAll(() => {
  popper = new Popper(engine.context, new LeaseBook(), new SharedArrayBuffer(PARKED_SLOTS * 4));
});

const PARAMS: Omit<PopParams, "queue"> = {
  group: "fresh",
  batch: 10,
  partitions: 1,
  wait: true,
  timeoutMs: 10_000,
  autoAck: false,
  subscriptionMode: "new",
  subscriptionFrom: "",
};

/** Begins to pop. @returns The answer to come, once the catalog has said that the queue, or the partition, is not there. */
async function popUntilMissed(params: PopParams, missing: "queue" | "partition") {
  const { catalog } = engine.context;
  const missed = Promise.withResolvers<void>();
  const [queue, partition] = [catalog.queue, catalog.partition];
  catalog.queue = async (...args) => {
    const found = await queue.apply(catalog, args);
    if (missing === "queue" && found === null) missed.resolve();
    return found;
  };
  catalog.partition = async (...args) => {
    const found = await partition.apply(catalog, args);
    if (missing === "partition" && found === null) missed.resolve();
    return found;
  };
  const answer = popper.pop(params, { cancelled: false, stop: null });
  await missed.promise;
  [catalog.queue, catalog.partition] = [queue, partition];
  return { answer };
}

test("a queue made by a push", async () => {
  const { answer } = await popUntilMissed({ ...PARAMS, queue: "made" }, "queue");
  await engine.push("made", "p", ["first"]);
  expect(await answer).toMatchObject({ queue: "made" });
});

test("a partition of a queue that was made by a push", async () => {
  const { answer } = await popUntilMissed({ ...PARAMS, queue: "made-too", partition: "p" }, "queue");
  await engine.push("made-too", "p", ["first"]);
  expect(await answer).toMatchObject({ queue: "made-too" });
});

test("a partition made by a push", async () => {
  const queueId = await engine.queue("there");
  const { answer } = await popUntilMissed({ ...PARAMS, queue: "there", partition: "p" }, "partition");
  await engine.push("there", "other", ["elsewhere"]);
  await engine.push("there", "p", ["first"]);
  popper.waiters.wake([queueId], []);
  expect(await answer).toMatchObject({ queue: "there" });
});

test("a queue that was there when the pop came has a history, which is skipped", async () => {
  await engine.push("old", "p", ["history"]);
  const params = { ...PARAMS, queue: "old", wait: false, timeoutMs: 0 };
  expect(await popper.pop(params, { cancelled: false, stop: null })).toBeNull();
});
