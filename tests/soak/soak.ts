/**
 * A soak from its first message to its verdict.
 *
 * @module
 */

import { startServer } from "../bench/process.ts";
import { Client } from "./client.ts";
import { Consumer } from "./consumer.ts";
import { Ledger } from "./ledger.ts";
import { Producer, type Tempo } from "./producer.ts";
import { Sampler } from "./sampler.ts";
import { accountName, isPoison, type QueuePlan, scenePlan } from "./scene.ts";
import { type Ceilings, type Finding, JUDGED_FROM_S, judge, type Sample } from "./verdict.ts";
import { rewind, watchDashboard } from "./visitor.ts";

/** What a soak is asked to do. */
export interface SoakOptions {
  /** Length of the offered load. */
  seconds: number;
  workers: number;
  /** Share of the capacity that is offered, above 0 to 1. */
  load: number;
  retentionSeconds: number;
  sampleSeconds: number;
  /** Length of the closed loop that finds the capacity, its first third being warm-up. */
  capacitySeconds: number;
  /** Says what goes on. */
  progress: (phase: "capacity" | "load" | "drain", doneS: number, sample: Sample | null) => void;
  /** Ends the load early; the verdict is that of what was. */
  stop: AbortSignal;
  /** Called before each look, with the data folder: how a test makes something grow. */
  beforeLook?: (dataDir: string) => Promise<void>;
}

/** What came of it. */
export interface SoakReport {
  /** Messages a second in the closed loop, and offered. */
  capacityPerS: number;
  offeredPerS: number;
  seconds: number;
  retentionSeconds: number;
  samples: Sample[];
  ceilings: Ceilings;
  findings: Finding[];
  /** Whether the load was long enough for findings to count. */
  judgesGrowth: boolean;
  pushed: number;
  delivered: number;
  deadLetters: number;
  buffered: number;
  /** Messages that retention deleted meanwhile. */
  expired: number;
  /** Errors and violations, in words; empty is good. */
  problems: string[];
  /** What the server warned of. */
  complaints: readonly string[];
}

const SETTLE_MS_MAX = 120_000;
const JOB_INTERVAL_MS = 5_000;
const ENCRYPTION_KEY = "5".repeat(64);

/**
 * Runs a soak on a server of its own.
 *
 * @throws {Error} when the server does not start; nothing is left running then.
 */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const interval = String(Math.min(JOB_INTERVAL_MS, options.retentionSeconds * 50));
  const server = await startServer({
    workers: options.workers,
    detached: true,
    env: { RETENTION_INTERVAL: interval, EVICTION_INTERVAL: interval, QUEEN_ENCRYPTION_KEY: ENCRYPTION_KEY },
  });
  try {
    return await new Soak(options, server).run();
  } finally {
    await server.stop();
  }
}

type Server = Awaited<ReturnType<typeof startServer>>;

class Soak {
  readonly #options: SoakOptions;
  readonly #server: Server;
  readonly #client: Client;
  readonly #plans: QueuePlan[];
  readonly #ledgers: Ledger[];
  readonly #tempo: Tempo = { stopping: false, over: false, intervalMs: new Map() };
  readonly #producers: Producer[][];
  readonly #consumers: Consumer[];

  constructor(options: SoakOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    this.#client = new Client(server.url);
    this.#plans = scenePlan(options.retentionSeconds);
    this.#ledgers = this.#plans.map(({ queue, groups }) => new Ledger(queue, groups.map(accountName)));
    this.#producers = this.#plans.map((plan, at) =>
      Array.from(
        { length: plan.partitions },
        (_, index) => new Producer(plan, index, this.#client, this.#ledgers[at]!, this.#tempo),
      ),
    );
    this.#consumers = this.#plans.flatMap((plan, at) => this.#consumersOf(plan, this.#ledgers[at]!));
  }

  #consumersOf(plan: QueuePlan, ledger: Ledger): Consumer[] {
    const tempo = this.#tempo;
    const proving = plan.groups.flatMap((group) =>
      Array.from({ length: plan.consumers }, () => new Consumer(plan, group, this.#client, ledger, tempo)),
    );
    return plan.rewound === null ? proving : [...proving, new Consumer(plan, plan.rewound, this.#client, null, tempo)];
  }

  async run(): Promise<SoakReport> {
    for (const { queue, options } of this.#plans)
      await this.#client.send("configure", "POST", "/api/v1/configure", JSON.stringify({ queue, options }));
    const consuming = this.#consumers.map((consumer) => consumer.play());
    const pushing = this.#producers.flat().map((producer) => producer.play());
    const capacityPerS = await this.#findCapacity();
    const everyMs = Math.min(30_000, (this.#options.seconds * 1000) / 5);
    const looking = [
      watchDashboard(this.#client, this.#tempo),
      ...this.#plans.flatMap(({ queue, rewound }) =>
        rewound === null ? [] : [rewind(this.#client, queue, rewound, everyMs, this.#tempo)],
      ),
    ];
    const { samples, ceilings, seconds } = await this.#watch();
    this.#tempo.stopping = true;
    await Promise.all([...pushing, ...looking]);
    const expired = await this.#expired();
    await this.#drain();
    this.#tempo.over = true;
    await Promise.all(consuming);
    for (const ledger of this.#ledgers) ledger.close();
    return this.#report(capacityPerS, { samples, ceilings, seconds, expired });
  }

  /** Lets everybody go as fast as they are answered, then sets the pace. @returns Messages a second. */
  async #findCapacity(): Promise<number> {
    const { capacitySeconds, load } = this.#options;
    await this.#sleep(capacitySeconds / 3, "capacity", 0);
    const requests = () => this.#producers.map((of) => of.reduce((sum, producer) => sum + producer.requests, 0));
    const [before, pushedBefore, startedAt] = [requests(), this.#pushed(), performance.now()];
    await this.#sleep((capacitySeconds * 2) / 3, "capacity", capacitySeconds / 3);
    const seconds = (performance.now() - startedAt) / 1000;
    for (const [at, now] of requests().entries()) {
      const perProducer = Math.max(1, now - before[at]!) / this.#plans[at]!.partitions / seconds;
      this.#tempo.intervalMs.set(this.#plans[at]!.queue, 1000 / (perProducer * load));
    }
    return (this.#pushed() - pushedBefore) / seconds;
  }

  async #watch(): Promise<{ samples: Sample[]; ceilings: Ceilings; seconds: number }> {
    const { seconds, sampleSeconds, stop, progress, beforeLook } = this.#options;
    const sampler = await Sampler.open({
      serverPid: this.#server.pid,
      dataDir: this.#server.dataDir,
      url: this.#server.url,
      client: this.#client,
      ledgers: this.#ledgers,
    });
    try {
      const startedAt = performance.now();
      for (let dueS = sampleSeconds; dueS <= seconds && !stop.aborted; dueS += sampleSeconds) {
        while (performance.now() - startedAt < dueS * 1000 && !stop.aborted) await Bun.sleep(100);
        await beforeLook?.(this.#server.dataDir);
        progress("load", (performance.now() - startedAt) / 1000, await sampler.look());
      }
      return {
        samples: sampler.samples,
        ceilings: sampler.ceilings,
        seconds: (performance.now() - startedAt) / 1000,
      };
    } finally {
      await sampler.close();
    }
  }

  /** Waits until every group has resolved everything, or for two minutes. */
  async #drain(): Promise<void> {
    const startedAt = performance.now();
    while (this.#ledgers.some(({ backlog }) => backlog > 0)) {
      const ms = performance.now() - startedAt;
      if (ms > SETTLE_MS_MAX) return;
      this.#options.progress("drain", ms / 1000, null);
      await Bun.sleep(100);
    }
  }

  async #sleep(seconds: number, phase: "capacity", fromS: number): Promise<void> {
    const startedAt = performance.now();
    for (let s = 0; s < seconds && !this.#options.stop.aborted; s = (performance.now() - startedAt) / 1000) {
      this.#options.progress(phase, fromS + s, null);
      await Bun.sleep(100);
    }
  }

  #pushed(): number {
    return this.#ledgers.reduce((sum, { pushedCount }) => sum + pushedCount, 0);
  }

  async #expired(): Promise<number> {
    const page = await (await fetch(`${this.#server.url}/metrics/prometheus`)).text();
    return [...page.matchAll(/^queen_expired_messages_total\{[^}]*\} (\d+)/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  }

  #report(
    capacityPerS: number,
    seen: { samples: Sample[]; ceilings: Ceilings; seconds: number; expired: number },
  ): SoakReport {
    const deadLetters = this.#consumers.reduce((sum, consumer) => sum + consumer.deadLetters, 0);
    return {
      ...seen,
      capacityPerS,
      retentionSeconds: this.#options.retentionSeconds,
      offeredPerS: capacityPerS * this.#options.load,
      findings: judge(seen.samples, seen.ceilings),
      judgesGrowth: seen.seconds >= JUDGED_FROM_S,
      pushed: this.#pushed(),
      delivered: this.#ledgers.reduce((sum, { deliveredCount }) => sum + deliveredCount, 0),
      deadLetters,
      buffered: this.#client.bufferedCount,
      problems: this.#problems(deadLetters),
      complaints: this.#server.complaints,
    };
  }

  #problems(deadLetters: number): string[] {
    const problems = [...this.#client.errors].map(([what, count]) => `${count} times ${what}`);
    for (const { violations, violationCount } of this.#ledgers) {
      problems.push(...violations);
      if (violationCount > violations.length)
        problems.push(`and ${violationCount - violations.length} more like these`);
    }
    const wanted = this.#plans.reduce((sum, { attempts }, at) => sum + (attempts > 0 ? this.#poison(at) : 0), 0);
    if (deadLetters !== wanted) problems.push(`${deadLetters} dead letters instead of ${wanted}`);
    return problems;
  }

  #poison(at: number): number {
    let count = 0;
    for (const { pushedMessages } of this.#producers[at]!) {
      for (let number = 0; number < pushedMessages; number++) if (isPoison(number)) count += 1;
    }
    return count;
  }
}
