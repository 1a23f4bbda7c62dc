/**
 * Every peer, tiny and with its checks on: all messages arrive once, none is lost, and keys keep their order where the
 * peer promises it. A peer whose program is not installed is skipped, with the reason printed.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { Messages } from "./messages.ts";
import { type Rounds, winsOfPeers } from "./report.ts";
import { type Host, missingProgram, PEERS, runPeer, startHost } from "./run.ts";
import { Sink } from "./sink.ts";

const SEED = 20_261_123;
const KEYS = 20;
const MESSAGES = { batch: 2000, single: 200 };

describe(`peers, seed ${SEED}`, () => {
  // Peers of one kind share servers; this server and the PostgreSQL peers do as well.
  const hosts = new Map<string, Promise<Host>>();
  const hostOf = (on: (typeof PEERS)[number]["on"]) => {
    const kind = on === "queen" ? "postgres" : on;
    const host = hosts.get(kind) ?? startHost(kind);
    hosts.set(kind, host);
    return host;
  };

  afterAll(async () => {
    for (const host of hosts.values()) await (await host).stop();
  }, 60_000);

  for (const peer of PEERS) {
    const missing = missingProgram(peer);
    if (missing !== null) console.log(`${peer.name} is skipped: ${missing} is not installed`);
    for (const mode of ["batch", "single"] as const) {
      test.skipIf(missing !== null)(
        `${peer.name}, ${mode}: every message once`,
        async () => {
          const host = await hostOf(peer.on);
          const messages = MESSAGES[mode] / peer.share;
          const workload = { mode, messages, keys: KEYS, payloadBytes: 250, seed: SEED, secondsMax: 60 };
          const report = await runPeer(host, peer, { ...workload, messages: messages / (peer.share < 1 ? 4 : 1) });
          expect(report).toMatchObject({ cut: false, missing: 0, doubled: 0 });
          expect(report.phases.map(({ phase }) => phase)).toEqual(["push", "take", "whole"]);
          expect(new Set(report.phases.map((figures) => figures.messages)).size).toBe(1);
          if (peer.ordered.includes(mode)) expect(report.disordered).toBe(0);
          expect(report.durability).not.toBe("");
          expect(report.version).toMatch(/\d/);
        },
        120_000,
      );
    }
  }
});

describe("the checks", () => {
  test("a sink names what is missing, doubled and out of order", () => {
    const { payloads } = new Messages(6, 2, 250, SEED);
    const sink = new Sink(6, 2);
    for (const index of [0, 1, 4, 2, 4]) sink.take(payloads[index]!);
    expect([sink.missing, sink.doubled, sink.disordered]).toEqual([2, 1, 1]);
    expect(() => sink.take({ seq: "00000006" })).toThrow("message 00000006 is none of this run");
  });

  test("a sink is done when as many acknowledgements as messages were answered", async () => {
    const sink = new Sink(3, 1);
    sink.acknowledge(2);
    expect(sink.done).toBe(false);
    sink.acknowledge(1);
    await sink.finished;
    expect(sink.done).toBe(true);
  });

  test("messages of a key stay with one producer, in order, and none is left out", () => {
    const messages = new Messages(100, 7, 250, SEED);
    const shares = messages.shareOut(3, 10);
    expect(shares.flat(2).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    for (const share of shares) expect(share.flat()).toEqual(share.flat().toSorted((a, b) => a - b));
    const owners = shares.map((share) => new Set(share.flat().map((index) => messages.key(index))));
    expect(owners.reduce((sum, owner) => sum + owner.size, 0)).toBe(7);
    expect(Buffer.byteLength(JSON.stringify(messages.payloads[99]))).toBe(250);
  });

  test("a peer that is better in one figure is named with that figure", () => {
    const rounds = (name: string, on: "queen" | "nats", seconds: number): Rounds => ({
      peer: { name, on, ordered: [], share: 1 },
      mode: "batch",
      messages: 100,
      reason: "",
      reports: [
        {
          phases: (["push", "take", "whole"] as const).map((phase) => ({
            phase,
            messages: 100,
            seconds: phase === "take" ? seconds : 1,
            clientCpuSeconds: 1,
            serverCpuSeconds: 1,
            databaseCpuSeconds: 0,
            othersCpuSeconds: 0,
          })),
          cut: false,
          durability: "",
          version: "1",
          doubled: 0,
          missing: 0,
          disordered: 0,
        },
      ],
    });
    const us = rounds("queen", "queen", 1);
    expect(winsOfPeers([us, rounds("nats", "nats", 0.5)])).toEqual([
      "nats, batches, is 2.00 times as fast at take: 200 against 100 msg/s.",
    ]);
    expect(winsOfPeers([us, rounds("nats", "nats", 2)])).toEqual(["No peer was better in any of these figures."]);
  });
});
