import { afterEach, describe, expect, test } from "bun:test";
import { loadConfig } from "../../../server/config.ts";
import { Coalesced } from "../../../server/observe/coalesced.ts";
import { Interval } from "../../../server/observe/interval.ts";
import { Observer } from "../../../server/observe/observer.ts";
import { Page } from "../../../server/observe/page.ts";
import type { Answer, Pool, WorkerRequest } from "../../../server/pool/pool.ts";
import { Counters } from "../../../workers/engine/counters.ts";
import { Histogram } from "../../../workers/protocol/histogram.ts";
import type { Observation } from "../../../workers/protocol/observation.ts";
import type { SampleBatch } from "../../../workers/protocol/samples.ts";
import { parsePrometheus } from "../../support/prometheus.ts";
import { until } from "../../support/wait.ts";

/** What a worker tells that counted these. */
function observed(count: (counters: Counters) => void, more: Partial<Observation> = {}): Observation {
  const counters = new Counters();
  count(counters);
  return {
    ...counters.take([]),
    loopLag: { sumMs: 3, maxMs: 2, count: 2 },
    underWay: 0,
    parked: 0,
    lanes: [{ lane: "push", connectionsMax: 4, inUse: 1, waiting: 0 }],
    segments: { bytes: 0, hits: 0, misses: 0 },
    catalog: { queues: 0, hits: 0, misses: 0 },
    sweepRepairs: 0,
    peers: null,
    ...more,
  };
}

describe("an interval", () => {
  test("adds up what workers observed, by worker and by queue", () => {
    const interval = new Interval(60_000);
    interval.add(
      1,
      observed((counters) => counters.pushed(7, 3)),
    );
    interval.add(
      1,
      observed(
        (counters) => {
          counters.pushed(7, 2);
          counters.delivered(7, { messages: 2, lagSumMs: 30, lagMaxMs: 20 }, true);
        },
        { underWay: 5, lanes: [{ lane: "push", connectionsMax: 4, inUse: 3, waiting: 2 }] },
      ),
    );
    const { workers, queues } = interval.take();
    expect(workers).toHaveLength(1);
    expect(workers[0]).toMatchObject({
      atMs: 60_000,
      worker: 1,
      pushMessages: 5,
      popMessages: 2,
      autoAcked: 2,
      lagSumMs: 30,
      lagMaxMs: 20,
      looks: 2,
      freeSlotsSum: 4,
      freeSlotsMin: 1,
      jobQueueMax: 5,
      loopLagSumMs: 6,
      loopLagCount: 4,
      connections: 4,
    });
    expect(queues).toMatchObject([{ queueId: 7, worker: 1, pushMessages: 5, lagCount: 2 }]);
  });

  test("hands out what changed since, with the figures of the whole interval", () => {
    const interval = new Interval(0);
    interval.add(
      0,
      observed((counters) => counters.pushed(1, 1)),
    );
    interval.take();
    expect(interval.settled).toBe(true);
    interval.add(
      0,
      observed((counters) => counters.pushed(2, 1)),
    );
    const taken = interval.take();
    expect(taken.queues.map(({ queueId }) => queueId)).toEqual([2]);
    expect(taken.workers[0]!.pushMessages).toBe(2);
    interval.giveBack(taken);
    expect(interval.settled).toBe(false);
    expect(interval.take().queues).toHaveLength(1);
  });

  test("keeps sum, smallest, largest and last of a measurement", () => {
    const interval = new Interval(0);
    for (const value of [5, 1, 3]) interval.addInstance({ "memory.rss_bytes": value });
    expect(interval.take().instance).toEqual([
      { atMs: 0, sampleCount: 3, metrics: { "memory.rss_bytes": [9, 1, 5, 3] } },
    ]);
  });
});

describe("work that is coalesced", () => {
  test("is done once for all who asked before it began, and never twice at once", async () => {
    const ends: (() => void)[] = [];
    let running = 0;
    const work = new Coalesced(async () => {
      running += 1;
      expect(running).toBe(1);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
    });
    const first = work.run();
    const [second, third] = [work.run(), work.run()];
    ends[0]!();
    await first;
    await until(() => ends.length === 2);
    let over = false;
    second.then(() => (over = true));
    expect(over).toBe(false);
    ends[1]!();
    await Promise.all([second, third]);
    expect(ends).toHaveLength(2);
  });

  test("goes on after a failure", async () => {
    let runs = 0;
    const work = new Coalesced(async () => {
      runs += 1;
      if (runs === 1) throw new Error("once");
    });
    const [first, second] = [work.run(), work.run()];
    await expect(first).rejects.toThrow("once");
    await second;
    expect(runs).toBe(2);
  });
});

/** A pool whose workers tell what they are given, and that writes samples down or refuses to. */
class ScriptedPool {
  observations: Observation[] = [];
  readonly batches: SampleBatch[] = [];
  refuse = false;

  get pool(): Pool {
    const answer = (request: WorkerRequest): Answer => {
      if (request.operation !== "sampleRecord") throw new Error(request.operation);
      if (this.refuse) return { status: 503, error: "away" };
      this.batches.push(structuredClone(request.params));
      return { id: 0, status: 200, format: "json", body: '{"instanceId":42}' };
    };
    const pool: Partial<Pool> = {
      observe: async () => [this.observations.splice(0)],
      send: async (request) => answer(request),
      durations: () => [],
    };
    return pool as Pool;
  }
}

describe("the observer", () => {
  const observers: Observer[] = [];
  afterEach(async () => {
    await Promise.all(observers.splice(0).map((observer) => observer.stop()));
  });

  function observerOf(scripted: ScriptedPool): Observer {
    const observer = new Observer({ pool: scripted.pool, config: loadConfig({ WORKER_ID: "me" }), log: () => {} });
    observers.push(observer);
    return observer;
  }

  test("writes again what could not be written, once, and totals that never go back", async () => {
    const scripted = new ScriptedPool();
    const observer = observerOf(scripted);
    scripted.refuse = true;
    scripted.observations.push(observed((counters) => counters.pushed(1, 4)));
    await observer.flush();
    expect(scripted.batches).toEqual([]);
    scripted.refuse = false;
    scripted.observations.push(observed((counters) => counters.pushed(1, 1)));
    await observer.flush();
    await observer.flush();
    expect(scripted.batches).toHaveLength(1);
    const [batch] = scripted.batches;
    expect(batch!.instanceId).toBeNull();
    expect(batch!.totals.pushMessages).toBe(5);
    expect(batch!.queues.reduce((sum, { pushMessages }) => sum + pushMessages, 0)).toBe(5);
    scripted.observations.push(observed((counters) => counters.pushed(1, 1)));
    await observer.flush();
    expect(scripted.batches[1]).toMatchObject({ instanceId: 42, hostname: "me", totals: { pushMessages: 6 } });
  });
});

describe("a histogram", () => {
  test("counts values up to each bound, and the rest", () => {
    const histogram = new Histogram([1, 10]);
    for (const value of [0.5, 1, 1.5, 10, 11]) histogram.add(value);
    expect(histogram.read()).toEqual({ counts: [2, 2, 1], sum: 24 });
    const other = new Histogram([1, 10]);
    other.merge(histogram.take());
    other.merge({ counts: [1, 0, 0], sum: 1 });
    expect(other.read()).toEqual({ counts: [3, 2, 1], sum: 25 });
    expect(histogram.read()).toEqual({ counts: [0, 0, 0], sum: 0 });
  });

  test("a family without values shows none, and no zero without labels", async () => {
    const page = new Page();
    page.gauge("g", "Help", []);
    page.counter("c_total", "Help", []);
    const { metrics, types } = parsePrometheus(await page.render());
    expect(types).toEqual(
      new Map([
        ["g", "gauge"],
        ["c_total", "counter"],
      ]),
    );
    expect(metrics).toEqual([]);
  });

  test("is rendered cumulatively, with labels", async () => {
    const page = new Page();
    page.histogram("h_seconds", "Help", [1, 10], [[{ op: "a" }, { counts: [2, 2, 1], sum: 24 }]]);
    page.gauge("g", "Help", [[{ queue: 'a"\\\nb' }, 3]]);
    page.counter("c_total", "Help", 7);
    const { metrics, types } = parsePrometheus(await page.render());
    expect(types).toEqual(
      new Map([
        ["h_seconds", "histogram"],
        ["g", "gauge"],
        ["c_total", "counter"],
      ]),
    );
    expect(metrics).toEqual([
      { name: "h_seconds_bucket", labels: { le: "1", op: "a" }, value: 2 },
      { name: "h_seconds_bucket", labels: { le: "10", op: "a" }, value: 4 },
      { name: "h_seconds_bucket", labels: { le: "+Inf", op: "a" }, value: 5 },
      { name: "h_seconds_sum", labels: { op: "a" }, value: 24 },
      { name: "h_seconds_count", labels: { op: "a" }, value: 5 },
      { name: "g", labels: { queue: 'a"\\\nb' }, value: 3 },
      { name: "c_total", labels: {}, value: 7 },
    ]);
  });
});
