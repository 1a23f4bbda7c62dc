/**
 * Pops by namespace among very many queues: what a look costs is bounded.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { LeaseBook } from "../../../workers/engine/lease-book.ts";
import { Popper } from "../../../workers/engine/pop.ts";
import { PARKED_SLOTS, type PopParams } from "../../../workers/protocol.ts";
import { queueCandidates } from "../../../workers/storage/queue-filter.ts";
import { scansOf } from "../../plans/scans.ts";
import { useEngine } from "../support/engine.ts";

const engine = useEngine();
const QUEUES = 10_000;
let popper: Popper;

beforeAll(async () => {
  popper = new Popper(engine.context, new LeaseBook(), new SharedArrayBuffer(PARKED_SLOTS * 4));
  await engine.sql`
    insert into queen.queues (name, namespace, task) select 'many' || i, 'many', 't' from generate_series(1, ${QUEUES}::integer) i`;
  await engine.sql`analyze`;
});

const PARAMS: PopParams = {
  namespace: "many",
  group: "g",
  batch: 1,
  partitions: 1,
  wait: false,
  timeoutMs: 0,
  autoAck: false,
  subscriptionMode: "",
  subscriptionFrom: "",
};
const pop = (more: Partial<PopParams> = {}) => popper.pop({ ...PARAMS, ...more }, { cancelled: false, stop: null });
const queueOf = (answer: Awaited<ReturnType<typeof pop>>) => answer?.queue ?? null;

describe("10,000 queues of one namespace", () => {
  test("of which none has anything are looked through without registering the group", async () => {
    const started = performance.now();
    expect(await pop()).toBeNull();
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(await engine.sql`select from queen.consumer_groups`).toHaveLength(0);
  });

  test("of which a few have something give it out, oldest first", async () => {
    for (const n of [9_000, 17, 5_555]) await engine.push(`many${n}`, "p", ["t"]);
    const seen = [queueOf(await pop()), queueOf(await pop()), queueOf(await pop()), queueOf(await pop())];
    expect(seen).toEqual(["many9000", "many17", "many5555", null]);
    expect(await engine.sql`select from queen.consumer_groups where name = 'g'`).toHaveLength(3);
  });

  test("wait for a push without parking on all of them, and find it with the next look", async () => {
    const waiting = pop({ wait: true, timeoutMs: 20_000 });
    expect(await pop()).toBeNull();
    expect(popper.waiters.count).toBe(0);
    await engine.push("many777", "p", ["t"]);
    expect(queueOf(await waiting)).toBe("many777");
  });

  test("all get a group that skips history, once", async () => {
    await engine.push("many4", "p", ["history"]);
    const fresh = { group: "fresh", subscriptionMode: "new" };
    expect(await pop(fresh)).toBeNull();
    const groups = await engine.sql`select subscription_mode from queen.consumer_groups where name = 'fresh'`;
    expect(groups).toHaveLength(QUEUES);
    await engine.push("many4", "p", ["later"]);
    expect(queueOf(await pop(fresh))).toBe("many4");
  });

  test("cost two probes each", async () => {
    const bounds = { readyMax: 100, rowsMax: 1_001 };
    const filter = { namespace: "many", task: "t", group: "g" };
    for (const mode of ["force_custom_plan", "force_generic_plan"] as const) {
      const { indexes } = await scansOf(engine.sql, mode, (sql) => queueCandidates(sql, filter, bounds));
      const entries = Object.values(indexes).reduce((sum, count) => sum + count, 0);
      expect(entries).toBeLessThan(5 * QUEUES);
    }
  });
});
