import { describe, expect, test } from "bun:test";
import { interruptionFor, refusalFor } from "../../../server/pool/refusal.ts";
import { restBeforeRestart } from "../../../server/pool/rest.ts";
import { bodyRequest, popRequest } from "./echo-pool.ts";

const item = { queue: "q", payload: 1 };
const pushOf = (...items: object[]) => bodyRequest("push", JSON.stringify({ items }));
const cycleUnder = (leaseId: string) => ({ push_items: [item], ack: { transactionId: "t", leaseId } });

describe("interruptionFor() a request whose worker died", () => {
  test.each([
    [
      "a push whose items all carry ids may be repeated",
      pushOf({ ...item, transactionId: "a" }, { ...item, transactionId: "b" }),
      500,
    ],
    ["a push with one item without an id must not be", pushOf({ ...item, transactionId: "a" }, item), 409],
    ["nor with an empty id", pushOf({ ...item, transactionId: "" }), 409],
    ["nor one whose body is gone", bodyRequest("push", new ArrayBuffer(20_000)), 409],
    ["nor one that is no JSON", bodyRequest("push", "{"), 409],
    ["nor a transaction", bodyRequest("transaction", "{}"), 409],
    ["a cycle under its lease may be repeated", bodyRequest("streamCycle", JSON.stringify(cycleUnder("l"))), 500],
    ["nor one that names none and pushes without ids", bodyRequest("streamCycle", JSON.stringify(cycleUnder(""))), 409],
    ["but one that pushes nothing may be", bodyRequest("streamCycle", "{}"), 500],
    ["a cycle whose body is gone must not be", bodyRequest("streamCycle", new ArrayBuffer(20_000)), 409],
    ["an acknowledgement may be repeated", bodyRequest("ack", "{}"), 500],
    ["a pop is empty", popRequest({ queue: "q" }), 204],
  ])("%s", (_what, request, status) => {
    expect(interruptionFor(request).status).toBe(status as 500);
  });
});

describe("refusalFor() a request that no worker saw", () => {
  test("asks to try again in a second", () => {
    for (const reason of ["busy", "down", "stopping"] as const) {
      expect(refusalFor(pushOf(item), reason)).toMatchObject({ status: 503, retryAfterS: 1 });
    }
  });

  test("is empty for a pop: consume loops end on errors", () => {
    expect(refusalFor(popRequest({ queue: "q" }), "busy").status).toBe(204);
  });
});

test("restBeforeRestart() is nothing at first, then doubles, up to ten seconds", () => {
  expect([1, 2, 3, 4, 8, 9, 10, 60].map(restBeforeRestart)).toEqual([0, 100, 200, 400, 6_400, 10_000, 10_000, 10_000]);
});
