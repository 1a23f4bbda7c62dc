import { describe, expect, test } from "bun:test";
import { type Load, spread } from "../../../server/pool/spread.ts";
import type { WorkerRequest } from "../../../workers/protocol.ts";
import { bodyRequest, popRequest } from "./echo-pool.ts";

const WORKERS = 8;

function loads(changes: Record<number, Partial<Load>> = {}): Load[] {
  return Array.from({ length: WORKERS }, (_, index) => ({
    alive: true,
    requestCount: 0,
    byteCount: 0,
    ...changes[index],
  }));
}

function pushOf(queue: string, partition = "p"): string {
  return JSON.stringify({ items: [{ queue, partition, payload: { n: 1 }, transactionId: "t" }] });
}

function large(text: string): ArrayBuffer {
  return new TextEncoder().encode(text.padEnd(20_000)).buffer;
}

function choose(request: Parameters<typeof spread>[0], changes: Record<number, Partial<Load>> = {}): number {
  return spread(request, loads(changes));
}

describe("spread() of small pushes and pops", () => {
  test("brings those of one queue together, whatever the partition", () => {
    const index = choose(popRequest({ queue: "orders" }));
    expect(choose(bodyRequest("push", pushOf("orders", "a")))).toBe(index);
    expect(choose(bodyRequest("push", pushOf("orders", "b")))).toBe(index);
    expect(choose(popRequest({ queue: "orders", partition: "a", batch: 99 }))).toBe(index);
  });

  test("finds the queue in any order and spacing", () => {
    const index = choose(popRequest({ queue: "orders" }));
    for (const body of [
      '{ "items" : [ { "payload" : [1], "queue"\n:\t"orders" } ] }',
      '{"x":{"deep":[]},"items":[{"transactionId":"t","queue":"orders"}]}',
    ]) {
      expect(choose(bodyRequest("push", body))).toBe(index);
    }
  });

  test("uses every worker over many queues, none much more than others", () => {
    const counts = new Array<number>(WORKERS).fill(0);
    for (let queue = 0; queue < 800; queue++) counts[choose(popRequest({ queue: `queue-${queue}` }))]!++;
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(150);
  });

  test.each([
    ["no queue", '{"items":[]}'],
    ["a queue that is no text", '{"items":[{"queue":5}]}'],
    ["a body that is cut off", '{"items":[{"queue":"or'],
    ["a queue far in", `{"x":"${"y".repeat(5000)}","items":[{"queue":"orders"}]}`],
    ["nothing at all", null],
  ])("takes the least loaded worker for %s", (_what, body) => {
    const busy = Object.fromEntries(loads().map((_, index) => [index, { byteCount: index === 5 ? 0 : 10 }]));
    expect(choose(bodyRequest("push", body), busy)).toBe(5);
  });
});

describe("spread() of large bodies and batches", () => {
  test("spreads the partitions of one queue, each to one worker", () => {
    const chosen = Array.from({ length: 100 }, (_, n) =>
      choose(bodyRequest("push", large(pushOf("orders", `p-${n}`)))),
    );
    expect(new Set(chosen).size).toBe(WORKERS);
    expect(choose(bodyRequest("push", large(pushOf("orders", "p-7"))))).toBe(chosen[7]!);
    expect(choose(popRequest({ queue: "orders", partition: "p-7", batch: 100 }))).toBe(chosen[7]!);
  });

  test("passes over a worker that is far ahead of the others, and only then", () => {
    const request = () => bodyRequest("push", large(pushOf("orders")));
    const usual = choose(request());
    expect(choose(request(), { [usual]: { byteCount: 4 * 1024 * 1024 } })).toBe(usual);
    expect(choose(request(), { [usual]: { byteCount: 4 * 1024 * 1024 + 1 } })).not.toBe(usual);
  });
});

describe("spread() of acknowledgements", () => {
  const partitionId = "0190a5c8-7d3e-7000-8000-000000000000";
  const leaseOf = (index: number) => `0190a5c8-7d3e-7000-${(0x80 + index).toString(16)}00-000000000000`;

  test("follows the lease to the worker that handed it out", () => {
    for (let index = 0; index < WORKERS; index++) {
      const item = { transactionId: "t", partitionId, leaseId: leaseOf(index) };
      expect(choose(bodyRequest("ack", JSON.stringify(item)))).toBe(index);
      expect(choose(bodyRequest("ackBatch", JSON.stringify({ acknowledgments: [item] })))).toBe(index);
      expect(choose(bodyRequest("streamCycle", JSON.stringify({ ack: item })))).toBe(index);
      for (const operation of ["leaseExtend", "leaseAcknowledge"] as const) {
        const request = { ...bodyRequest("ack", null), operation, params: { leaseId: leaseOf(index) } };
        expect(spread(request as WorkerRequest, loads())).toBe(index);
      }
    }
  });

  test("brings acknowledgements without a usable lease together by partition", () => {
    const index = choose(bodyRequest("ack", JSON.stringify({ transactionId: "t", partitionId })));
    expect(choose(bodyRequest("ack", JSON.stringify({ partitionId, leaseId: leaseOf(WORKERS) })))).toBe(index);
    expect(choose(bodyRequest("ack", JSON.stringify({ partitionId, leaseId: "x" })))).toBe(index);
  });
});

describe("spread() with dead workers", () => {
  test("takes another one", () => {
    const usual = choose(popRequest({ queue: "orders" }));
    expect(choose(popRequest({ queue: "orders" }), { [usual]: { alive: false } })).not.toBe(usual);
  });

  test("gives -1 when all are dead", () => {
    const dead = Object.fromEntries(loads().map((_, index) => [index, { alive: false }]));
    expect(choose(popRequest({ queue: "orders" }), dead)).toBe(-1);
  });
});
