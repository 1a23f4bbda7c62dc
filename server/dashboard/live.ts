/**
 * How the server does right now: followed as a stream of events, or asked for every two seconds where no stream gets through.
 * Rates are differences of the counts in two looks.
 *
 * @module
 */
import { account, address, call, headers } from "./api.ts";
import { Store } from "./store.ts";

/** A lane of connections of a worker. */
export interface Lane {
  lane: string;
  connectionsMax: number;
  inUse: number;
  waiting: number;
}

/** A worker. */
export interface LiveWorker {
  workerId: number;
  state: string;
  restarts: number;
  requests: number;
  parked: number;
  loopLagMaxMs: number;
  lanes: Lane[];
}

/** What the server answers. */
export interface LiveLook {
  timestamp: string;
  instance: string;
  uptimeSeconds: number;
  counts: Record<string, number>;
  durations: { boundsSeconds: number[]; push: number[]; pop: number[]; ack: number[] };
  workers: LiveWorker[];
  buffering: boolean;
  process: { rssBytes: number; cpuUserUs: number; cpuSystemUs: number };
}

/** A second, as it is drawn. Rates are a second; times in milliseconds, null when nothing was measured. */
export interface LivePoint {
  /** In seconds since 1970. */
  at: number;
  push: number;
  pop: number;
  ack: number;
  errors: number;
  requests: number;
  pushMs: number | null;
  popMs: number | null;
  ackMs: number | null;
  lagMs: number | null;
  /** Percent of one core. */
  cpu: number;
  rssBytes: number;
  /** Of the worker that was latest. */
  loopLagMs: number;
}

/** How what is shown comes in. */
export type Feed = "connecting" | "stream" | "polling" | "offline";

/** Points kept: five minutes of seconds. */
const POINTS_MAX = 300;
/** Seconds that charts of them show at least. */
export const SPAN_SECONDS = 60;
const POLL_MS = 2_000;
const RETRY_MS = 3_000;
/** Failed attempts to stream after which it is polled. */
const STREAM_ATTEMPTS = 2;

/** The latest look. */
export const look = new Store<LiveLook | null>(null);
/** The last minutes, oldest first. */
export const points = new Store<readonly LivePoint[]>([]);
/** How they come in. */
export const feed = new Store<Feed>("connecting");

/** Median of what was added to a histogram between two readings, in milliseconds; null when nothing was. */
function medianMs(bounds: readonly number[], now: readonly number[], before: readonly number[]): number | null {
  const added = now.map((count, at) => count - (before[at] ?? 0));
  const total = added.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let left = total / 2;
  for (const [at, count] of added.entries()) {
    if (count < left) {
      left -= count;
      continue;
    }
    const low = at === 0 ? 0 : bounds[at - 1]!;
    const high = bounds[at] ?? low;
    return (low + (high - low) * (left / count)) * 1_000;
  }
  return null;
}

function take(next: LiveLook): void {
  const before = look.value;
  look.set(next);
  // Another process answers: its counts have nothing to do with those before.
  if (before === null || before.instance !== next.instance || before.uptimeSeconds > next.uptimeSeconds) return;
  const seconds = (Date.parse(next.timestamp) - Date.parse(before.timestamp)) / 1_000;
  if (seconds <= 0) return;
  const added = (name: string) => (next.counts[name] ?? 0) - (before.counts[name] ?? 0);
  const rate = (name: string) => Math.max(0, added(name) / seconds);
  const bounds = next.durations.boundsSeconds;
  const median = (kind: "push" | "pop" | "ack") => medianMs(bounds, next.durations[kind], before.durations[kind]);
  const lagged = added("lagCount");
  const processor = (value: LiveLook) => value.process.cpuUserUs + value.process.cpuSystemUs;
  const point: LivePoint = {
    at: Date.parse(next.timestamp) / 1_000,
    push: rate("pushMessages"),
    pop: rate("popMessages"),
    ack: rate("ackMessages"),
    errors: rate("failures") + rate("databaseErrors"),
    requests: rate("requests"),
    pushMs: median("push"),
    popMs: median("pop"),
    ackMs: median("ack"),
    lagMs: lagged > 0 ? added("lagSumMs") / lagged : null,
    rssBytes: next.process.rssBytes,
    loopLagMs: Math.max(0, ...next.workers.map((worker) => worker.loopLagMaxMs)),
    cpu: Math.max(0, (processor(next) - processor(before)) / (seconds * 10_000)),
  };
  points.set([...points.value.slice(-(POINTS_MAX - 1)), point]);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Follows the stream until it ends. @returns Whether anything came. */
async function stream(): Promise<boolean> {
  const response = await fetch(address("/api/v1/status/live"), {
    headers: { ...headers(), accept: "text/event-stream" },
    cache: "no-store",
  });
  if (!response.ok || response.body === null) return false;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let came = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return came;
    text += value;
    const events = text.split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      came = true;
      feed.set("stream");
      take(JSON.parse(event.slice("data: ".length)) as LiveLook);
    }
  }
}

async function poll(): Promise<void> {
  try {
    take(await call<LiveLook>("/api/v1/status/live"));
    feed.set("polling");
  } catch {
    feed.set("offline");
  }
}

/** Follows for as long as the page is open. */
export async function followLive(): Promise<void> {
  let failed = 0;
  for (;;) {
    if (account.value === null) {
      await pause(200);
      continue;
    }
    if (failed < STREAM_ATTEMPTS) {
      const came = await stream().catch(() => false);
      failed = came ? 0 : failed + 1;
      feed.set("offline");
      await pause(came ? 500 : RETRY_MS / 3);
      continue;
    }
    await poll();
    await pause(POLL_MS);
    // Whatever was in the way of the stream may be gone.
    if (feed.value === "offline") failed = STREAM_ATTEMPTS - 1;
  }
}
