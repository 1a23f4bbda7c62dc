/** The checks find what they are there to find: each kind of violation, planted in an otherwise good history. */
import { describe, expect, test } from "bun:test";
import { checkHistory } from "./checks.ts";
import { type AckRecord, History, type PopRecord } from "./history.ts";

const LEASE_MS = 1_000;

/** A history of one partition with four messages, pushed one after another; times in milliseconds. */
function pushed(): History {
  const history = new History(LEASE_MS, 1);
  history.log.set("p", []);
  for (const n of [0, 1, 2, 3]) {
    const [transactionId, messageId] = [`t${n}`, `m${n}`];
    history.pushes.push({
      partition: "p",
      transactionId,
      messageId,
      outcome: "queued",
      start: n * 10,
      end: n * 10 + 5,
    });
    history.log.get("p")!.push({ transactionId, messageId });
  }
  return history;
}

function pop(history: History, start: number, leaseId: string, numbers: number[], more: Partial<PopRecord> = {}): void {
  const messages = numbers.map((n) => ({ partition: "p", transactionId: `t${n}`, messageId: `m${n}` }));
  const autoAck = leaseId === "";
  history.pops.push({
    ...{ group: "g", partition: null, outcome: "answered" as const },
    ...{ start, end: start + 5, leaseId, messages, autoAck, ...more },
  });
}

function ack(history: History, start: number, leaseId: string | null, n: number, more: Partial<AckRecord> = {}): void {
  history.acks.push({
    ...{ call: history.newCall(), group: "g", partition: "p", transactionId: `t${n}`, status: "completed" as const },
    ...{ outcome: "recorded" as const, dlq: false, final: false, start, end: start + 5, leaseId, ...more },
  });
}

function transaction(
  history: History,
  outcome: "committed" | "rolled back" | "unknown",
  ids: string[],
  call = history.newCall(),
): void {
  const pushes = ids.map((transactionId) => ({ partition: "p", transactionId }));
  history.transactions.push({ start: 150, end: 155, call, outcome, pushes });
}

const letter = (n: number) => ({ group: "g", partition: "p", transactionId: `t${n}` });

/** Two leases that follow each other, everything completed. */
function good(): History {
  const history = pushed();
  pop(history, 100, "L1", [0, 1]);
  ack(history, 110, "L1", 1);
  ack(history, 120, "L1", 0);
  pop(history, 130, "L2", [2, 3]);
  ack(history, 140, "L2", 2);
  ack(history, 150, "L2", 3);
  return history;
}

const PLANTED: [string, RegExp, (history: History) => void][] = [
  ["a push without its message", /not in the log/, (h) => h.log.get("p")!.pop()],
  [
    "a buffered push that never came",
    /answered buffered and is not in the log/,
    (h) => h.pushes.push({ ...h.pushes[1]!, transactionId: "gone", outcome: "buffered", messageId: null }),
  ],
  ["an id queued twice", /queued 2 times/, (h) => h.pushes.push({ ...h.pushes[1]!, start: 200, end: 205 })],
  [
    "a duplicate told another id",
    /answered duplicate with m9/,
    (h) => h.pushes.push({ ...h.pushes[1]!, outcome: "duplicate", messageId: "m9", start: 200, end: 205 }),
  ],
  [
    "an id twice in the log",
    /holds an id twice/,
    (h) => h.log.get("p")!.push({ transactionId: "t0", messageId: "m0" }),
  ],
  ["a message nobody pushed", /never pushed/, (h) => h.log.get("p")!.push({ transactionId: "x", messageId: "x" })],
  ["commits out of order", /before a message that was answered earlier/, (h) => h.log.get("p")!.reverse()],
  [
    "a message that is delivered with another id",
    /is not in the log/,
    (h) => (h.pops[0]!.messages[0]!.messageId = "m7"),
  ],
  ["a batch out of order", /out of order/, (h) => h.pops[1]!.messages.reverse()],
  ["a completed message that comes again", /came again/, (h) => pop(h, 200, "L3", [1])],
  ["a skipped message", /offset 2 was skipped before 3/, (h) => h.pops[1]!.messages.shift()],
  ["two leases at once", /overlap/, (h) => pop(h, 112, "L3", [0])],
  [
    "two leases within one instant",
    /overlap/,
    (h) => {
      pop(h, 90, "L3", [0, 1]);
      pop(h, 91, "L4", [0, 1]);
    },
  ],
  ["a refusal under a live lease", /refused under a live lease/, (h) => ack(h, 111, "L1", 0, { outcome: "refused" })],
  ["an acknowledgement long after the lease", /after the lease had expired/, (h) => ack(h, 3_000, "L2", 3)],
  ["an acknowledgement under a lost lease", /had come after it/, (h) => ack(h, 150, "L1", 1)],
  [
    "one attempt too many",
    /failed 3 times/,
    (h) => {
      h.acks.length = 0;
      for (const [n, lease] of ["F1", "F2", "F3"].entries()) {
        pop(h, 2_000 + n * 2_000, lease, [0]);
        ack(h, 2_010 + n * 2_000, lease, 0, { status: "failed", dlq: n === 2 });
      }
    },
  ],
  [
    "a message dead-lettered too early",
    /failed 1 times, dead-lettered 1 times/,
    (h) => {
      h.acks.length = 0;
      pop(h, 2_000, "F1", [0]);
      ack(h, 2_010, "F1", 0, { status: "failed", dlq: true });
    },
  ],
  ["a pop that does not see what is there", /did not see offset 0/, (h) => pop(h, 60, "", [])],
  [
    "a message that is consumed twice by auto-ack",
    /was consumed twice/,
    (h) => {
      pop(h, 200, "", [0], { group: "auto" });
      pop(h, 201, "", [0], { group: "auto" });
    },
  ],
  [
    "a message that is there and unknown to an acknowledgement",
    /called unknown/,
    (h) => ack(h, 160, null, 3, { outcome: "missing" }),
  ],
  ["half a transaction", /half a transaction: 1 of 2/, (h) => transaction(h, "unknown", ["t3", "nowhere"])],
  [
    "a transaction that is committed and lacks a message",
    /half a transaction/,
    (h) => transaction(h, "committed", ["t3", "nowhere"]),
  ],
  ["a refused transaction that pushed", /was refused, 1 of its messages/, (h) => transaction(h, "rolled back", ["t3"])],
  [
    "a transaction that acknowledged without pushing",
    /never finished offset 3/,
    (h) => {
      const { call } = h.acks.at(-1)!;
      Object.assign(h.acks.at(-1)!, { outcome: "unknown", final: true });
      transaction(h, "unknown", ["nowhere"], call);
    },
  ],
  ["a dead letter without a reason", /was never given up/, (h) => (h.deadLetters = [letter(1)])],
  [
    "a dead letter that is not listed",
    /was dead-lettered and is not listed/,
    (h) => {
      Object.assign(h.acks[3]!, { status: "dlq", dlq: true });
      h.deadLetters = [];
    },
  ],
  [
    "a dead letter that is listed twice",
    /is two dead letters/,
    (h) => {
      Object.assign(h.acks[3]!, { status: "dlq", dlq: true });
      h.deadLetters = [letter(3), letter(3)];
    },
  ],
  [
    "a dead letter made too early beside other answers",
    /was dead-lettered after 1 failures, limit 1/,
    (h) => {
      Object.assign(h.acks[3]!, { status: "failed", dlq: true });
      ack(h, 152, null, 3, { status: "retry", outcome: "unknown" });
    },
  ],
  ["a message nobody ever finished", /never finished offset 3/, (h) => h.acks.pop()],
];

describe("checks of histories", () => {
  test("find nothing in a good history", () => {
    expect(checkHistory(good(), ["g"])).toEqual([]);
  });

  test("accept a redelivery after a failure, an expiry, and an unknown outcome", () => {
    const history = pushed();
    pop(history, 100, "L1", [0, 1]);
    ack(history, 110, "L1", 0, { status: "failed" });
    pop(history, 116, "L2", [0, 1]);
    pop(history, 1_200, "L3", [0, 1]);
    ack(history, 1_210, "L3", 0, { outcome: "unknown" });
    pop(history, 3_000, "L4", [0, 1, 2, 3]);
    for (const n of [0, 1, 2, 3]) ack(history, 3_010, "L4", n);
    expect(checkHistory(history, ["g"])).toEqual([]);
  });

  test("accept a dead letter with its reason, and a transaction without an answer that took effect, or did not", () => {
    const history = good();
    Object.assign(history.acks[3]!, { status: "dlq", dlq: true });
    history.deadLetters = [letter(3)];
    Object.assign(history.acks[2]!, { outcome: "unknown", final: true });
    transaction(history, "unknown", ["t1", "t3"], history.acks[2]!.call);
    transaction(history, "unknown", ["nowhere", "either"]);
    expect(checkHistory(history, ["g"])).toEqual([]);
  });

  test("accept what a seek passed in a partition that nobody had consumed", () => {
    const history = pushed();
    const seek = { group: "g", partition: null, transactionId: null, effect: "end" as const };
    history.resets.push({ ...seek, start: 100, end: 105 });
    expect(checkHistory(history, ["g"])).toEqual([]);
  });

  test("accept a push that was buffered, and an empty pop while the database was away", () => {
    const history = good();
    Object.assign(history.pushes[3]!, { outcome: "buffered", messageId: null });
    pop(history, 60, "", []);
    expect(checkHistory(history, ["g"]).join("\n")).toMatch(/did not see offset 0/);
    history.outages.push({ start: 50, end: 70 });
    expect(checkHistory(history, ["g"])).toEqual([]);
  });

  for (const [name, expected, plant] of PLANTED) {
    test(`find ${name}`, () => {
      const history = good();
      plant(history);
      expect(checkHistory(history, ["g"]).join("\n")).toMatch(expected);
    });
  }
});
