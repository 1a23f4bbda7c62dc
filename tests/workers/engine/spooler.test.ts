/**
 * Buffering with a real spool and a real database, where HTTP does not reach: records that the store refuses, and pushes
 * that are stored in part.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PushOutcome } from "../../../schema/wire/push-answer.ts";
import { KeyRing, unpackBody } from "../../../schema/wire/segment.ts";
import { Flags } from "../../../workers/engine/flags.ts";
import { makeUnits, type PushUnit } from "../../../workers/engine/push-unit.ts";
import { replayBatch } from "../../../workers/engine/replay.ts";
import { markBuffered, openPart } from "../../../workers/engine/spool-unit.ts";
import { Spooler } from "../../../workers/engine/spooler.ts";
import { packPush } from "../../../workers/spool/record.ts";
import { uniqueName } from "../../support/names.ts";
import { until } from "../../support/wait.ts";
import { makeFolder, openSpool, removeFolder } from "../spool/support.ts";
import { useEngine } from "../support/engine.ts";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const settings = { folder: "", bytesMax: 1e9, fileMessagesMax: 100, batchMessagesMax: 100, retryMs: 20 };
const engine = useEngine({ spool: settings });

const item = (queue: string, partition: string, transactionId: string) => ({
  queue,
  partition,
  transactionId,
  traceId: null,
  payload: JSON.stringify(transactionId),
});

describe("replay", () => {
  test("a message that cannot be stored is set aside; those of its batch, and of its push, are stored", async () => {
    const queue = uniqueName("replay");
    const bad = "no\0name";
    const spool = await openSpool(folder);
    for (const items of [
      [item(queue, "p", "a"), item(queue, "p", "b")],
      [item(queue, "p", "c"), item(queue, bad, "never"), item(queue, "p", "d")],
      [item(queue, "p", "e")],
    ]) {
      await spool.append(packPush(makeUnits(items, false, null), false, "me", new KeyRing([])));
    }
    const flags = new Flags(engine.context, { read() {}, answered() {}, changed() {} });
    const spooler = new Spooler(engine.context, engine.pusher, flags, spool);
    expect(spooler.buffering).toBe(true);
    spooler.start();
    await until(() => !spooler.buffering, 20_000, "the end of buffering");
    await spooler.stop();

    const items = ["a", "b", "c", "d", "e", "f"].map((id) => item(queue, "p", id));
    const results = await engine.pusher.push(items, false, null);
    expect(results.map(({ outcome }) => outcome.status)).toEqual([...Array(5).fill("duplicate"), "queued"]);
    const ids = results.map(({ outcome }) => (outcome.status === "duplicate" ? outcome.messageId : ""));
    expect(ids.slice(0, 5)).toEqual(ids.slice(0, 5).toSorted());
    const [name] = readdirSync(join(folder, "failed"));
    expect(JSON.parse(readFileSync(join(folder, "failed", name!), "utf8"))).toMatchObject({
      queue,
      partition: bad,
      transactionId: "never",
      producerSub: "me",
      payload: '"never"',
      error: "It could not be stored",
    });
    expect(engine.logged.map(({ event }) => event)).toContain("spool_refused");
  });

  test("pushes of many producers to one partition become one unit, in order, each with its producer", async () => {
    const queue = uniqueName("replay");
    const spool = await openSpool(folder);
    const subs = ["ann", null, "bob", "ann", "cy"];
    for (const [n, sub] of subs.entries()) {
      const units = makeUnits([item(queue, "p", `t${n}`), item(queue, "other", `t${n}`)], false, null);
      await spool.append(packPush(units, false, sub, new KeyRing([])));
    }
    const flown: number[] = [];
    const batch = await spool.read(100, 1e6);
    const pusher = {
      append(units: readonly PushUnit[]) {
        flown.push(units.length);
        return engine.pusher.append(units);
      },
    };
    expect(await replayBatch(pusher, batch!, false)).toEqual([]);
    expect(flown).toEqual([2]);
    await spool.close();
    const [segment] = await engine.sql<{ body: Buffer; format: number }[]>`
      select s.body, s.format from queen.segments s join queen.queues q on q.id = s.queue_id
        join queen.partitions p on p.queue_id = s.queue_id and p.id = s.partition_id
      where q.name = ${queue} and p.name = 'p'`;
    const texts = unpackBody(segment!.body, segment!.format, new KeyRing([])).toString().split("\u0001").slice(0, -1);
    const messages = texts.map((text) => JSON.parse(`${text}}`));
    expect(messages.map(({ transactionId, producerSub }) => [transactionId, producerSub])).toEqual(
      subs.map((sub, n) => [`t${n}`, sub]),
    );
  });
});

describe("a push that was stored in part", () => {
  test("only what has no outcome is spooled, and the answer tells each its own", () => {
    const ids = ["a", "b", "a", "c", "c"];
    const [unit] = makeUnits(
      ids.map((id) => item("q", "p", id)),
      false,
      null,
    );
    const queued: PushOutcome = { status: "queued", messageId: "m", partitionId: "p" };
    unit!.outcomes[0] = queued;
    unit!.outcomes[1] = { status: "failed", error: "full" };
    expect(openPart([unit!])).toMatchObject([{ queue: "q", partition: "p", transactionIds: ["c", "c"] }]);
    markBuffered([unit!]);
    const buffered = { status: "buffered", partition: "p" };
    expect(unit!.outcomes).toEqual([
      queued,
      { status: "failed", error: "full" },
      { status: "duplicate", messageId: "m" },
      buffered,
      buffered,
    ] as PushOutcome[]);
    expect(openPart([unit!])).toEqual([]);
  });
});
