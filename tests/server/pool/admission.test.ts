import { describe, expect, test } from "bun:test";
import { Admission, BURST_MS, kindOf, REFUSED, STANDING_REQUESTS } from "../../../server/pool/admission.ts";
import { untilTime } from "../../support/wait.ts";
import { bodyRequest, popRequest } from "./echo-pool.ts";

const push = (queue: string) => bodyRequest("push", `{"items":[{"queue":"${queue}","payload":1}]}`);

/** Lets requests of a queue in until one is refused. @returns The marks of those that were taken. */
function fill(admission: Admission, queue: string, most = 100_000): number[] {
  const marks: number[] = [];
  for (let mark = admission.enter(push(queue)); mark !== REFUSED; mark = admission.enter(push(queue))) {
    marks.push(mark);
    if (marks.length === most) break;
  }
  return marks;
}

/** An admission whose backlog has stood long enough for it to refuse. */
async function standing(queue = "flood"): Promise<{ admission: Admission; marks: number[] }> {
  const admission = new Admission(100);
  const marks = fill(admission, queue, 3 * STANDING_REQUESTS);
  await untilTime(Date.now() + BURST_MS + 20);
  expect(admission.enter(push(queue))).toBe(REFUSED);
  return { admission, marks };
}

describe("a backlog", () => {
  test("takes a burst", () => {
    expect(fill(new Admission(100), "q", 5_000)).toHaveLength(5_000);
  });

  test("that has stood refuses, until it is short again", async () => {
    const { admission, marks } = await standing();
    expect(admission.refusals).toBe(1);
    for (const mark of marks) admission.leave(mark);
    const taken = fill(admission, "flood");
    expect(taken.length).toBeGreaterThanOrEqual(STANDING_REQUESTS);
    expect(taken.length).toBeLessThanOrEqual(2 * STANDING_REQUESTS);
  });

  test("may be as long as what is answered within the time", async () => {
    const { admission, marks } = await standing();
    for (const mark of marks) admission.leave(mark);
    // Ten a millisecond: a thousand within 100 ms. The average takes a while to get there.
    for (let turn = 0; turn < 40; turn += 1) {
      admission.tick(10_000 + turn * 100);
      for (let each = 0; each < 1_000; each += 1) admission.leave(admission.enter(push("flood")));
    }
    const taken = fill(admission, "flood").length;
    expect(taken).toBeGreaterThan(950);
    expect(taken).toBeLessThan(1_050);
  });

  test("takes those of a queue that has little in it", async () => {
    const { admission } = await standing();
    const calm = fill(admission, "calm");
    expect(calm.length).toBeGreaterThanOrEqual(4);
    expect(calm.length).toBeLessThan(STANDING_REQUESTS / 2);
    expect(admission.enter(push("another"))).not.toBe(REFUSED);
    expect(admission.enter(push("flood"))).toBe(REFUSED);
  });

  test("of a thousand queues is bounded too", async () => {
    const { admission } = await standing();
    let taken = 0;
    for (let queue = 0; queue < 10_000; queue += 1) if (admission.enter(push(`q${queue}`)) !== REFUSED) taken += 1;
    expect(taken).toBeLessThan(1_100);
  });

  test("forgets whose the requests were when they are answered", async () => {
    const { admission } = await standing();
    for (let round = 0; round < 20; round += 1) {
      const calm = fill(admission, "calm");
      expect(calm.length).toBeGreaterThanOrEqual(4);
      for (const mark of calm) admission.leave(mark);
    }
  });
});

test("requests of other kinds have backlogs of their own, and health none", () => {
  expect(kindOf("push")).toBe("write");
  expect(kindOf("ack")).toBe("answer");
  expect(kindOf(popRequest().operation)).toBe("read");
  expect(kindOf("queueList")).toBe("look");
  expect(kindOf("health")).toBe("free");
});
