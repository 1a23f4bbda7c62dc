import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Hub } from "../../../server/http/dashboard/hub.ts";
import { RecentCounts } from "../../../server/http/dashboard/recent-counts.ts";
import type { Socket } from "../../../server/http/dashboard/socket.ts";
import type { EventBatch, Pool } from "../../../server/pool/pool.ts";
import { until } from "../../support/wait.ts";
import { echoPool } from "../pool/echo-pool.ts";

setDefaultTimeout(30_000);

/** A socket in memory whose client reads nothing once it is told to. */
class MemorySocket implements Socket {
  readonly frames: string[] = [];
  bufferedBytes = 0;
  closedWith: number | null = null;
  stuck = false;

  send(text: string): void {
    this.frames.push(text);
    if (this.stuck) this.bufferedBytes += text.length;
  }

  close(code: number): void {
    this.closedWith = code;
  }

  /** Kinds of the events that came, in order. */
  get kinds(): string[] {
    return this.frames.map((frame) => JSON.parse(frame).event as string);
  }
}

let pool: Pool;
/** What the hub made known, and what it listens with. */
let listener: ((batch: EventBatch) => void) | null = null;
beforeAll(async () => {
  pool = echoPool({ workerCount: 1 }).pool;
  await pool.start();
  const { listen } = pool;
  pool.listen = (heard) => {
    listener = heard;
    listen.call(pool, heard);
  };
});
afterAll(() => pool.stop(1_000));

function batchOf(count: number): EventBatch {
  const timestamp = new Date().toISOString();
  const events = Array.from({ length: count }, (_, n) => ({ event: "message.pushed", data: { n }, timestamp }));
  return { events, dropped: 0, created: count, completed: 0 };
}

describe("Hub", () => {
  test("listens from the first socket to the last, and no longer", () => {
    const hub = new Hub(pool);
    expect(listener).toBeNull();
    const [one, two] = [hub.handler(), hub.handler()];
    one.opened(new MemorySocket());
    two.opened(new MemorySocket());
    expect(listener).not.toBeNull();
    one.closed();
    one.closed();
    expect([hub.count, listener === null]).toEqual([1, false]);
    two.closed();
    expect([hub.count, listener === null]).toEqual([0, true]);
  });

  test("passes over a socket that reads too slowly, closes it when it stays behind, and spares the others", () => {
    const hub = new Hub(pool);
    const [slow, quick] = [new MemorySocket(), new MemorySocket()];
    const handlers = [hub.handler(), hub.handler()];
    handlers[0]!.opened(slow);
    handlers[1]!.opened(quick);
    slow.bufferedBytes = 2 * 1024 * 1024;
    const before = slow.frames.length;
    listener!(batchOf(10));
    expect(slow.frames.length).toBe(before);
    expect(slow.closedWith).toBeNull();
    slow.bufferedBytes = 9 * 1024 * 1024;
    listener!(batchOf(1));
    expect(slow.closedWith).toBe(1013);
    expect(quick.kinds.filter((kind) => kind === "message.pushed")).toHaveLength(11);
    for (const handler of handlers) handler.closed();
  });

  test("sends so many frames a second, and says how many were left out", async () => {
    const hub = new Hub(pool);
    const socket = new MemorySocket();
    const handler = hub.handler();
    handler.opened(socket);
    listener!(batchOf(20_000));
    const told = socket.kinds.filter((kind) => kind === "message.pushed").length;
    expect(told).toBeLessThanOrEqual(5_000);
    await until(() => socket.kinds.includes("events.dropped"), 5_000);
    const dropped = socket.frames.map((frame) => JSON.parse(frame)).find(({ event }) => event === "events.dropped");
    expect(told + dropped.data.count).toBe(20_000);
    handler.closed();
  });

  test("never lets a stuck client's frames pile up without end", async () => {
    const hub = new Hub(pool);
    const socket = new MemorySocket();
    socket.stuck = true;
    const handler = hub.handler();
    handler.opened(socket);
    const startedAt = performance.now();
    await until(() => {
      listener!(batchOf(5_000));
      return performance.now() - startedAt > 3_000;
    }, 10_000);
    expect(socket.bufferedBytes).toBeLessThan(2 * 1024 * 1024);
    handler.closed();
  });
});

describe("RecentCounts", () => {
  test("adds up the last minute, and forgets on demand", () => {
    const counts = new RecentCounts();
    counts.add(2, 1);
    counts.add(3, 0);
    expect(counts.sum()).toEqual({ created: 5, completed: 1 });
    counts.clear();
    expect(counts.sum()).toEqual({ created: 0, completed: 0 });
  });
});
