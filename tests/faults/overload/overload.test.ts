/**
 * The short form of `bun run test:faults overload`. Bounds are wide: other tests share the machine, and what is bounded here grew
 * without end, or to half a minute, before there were bounds.
 */
import { describe, expect, test } from "bun:test";
import { overload } from "./run.ts";
import { problems, report } from "./verdicts.ts";

const BOUNDS = { acceptedP99Ms: 10_000, calmP99Ms: 10_000, memoryMb: 4_096, recoverySeconds: 20 };

describe("three times what the server can do", () => {
  test.each([
    { kind: "push", perRequest: 100, connections: 1_500 },
    { kind: "pop", perRequest: 1, connections: 500 },
    { kind: "ack", perRequest: 1, connections: 500 },
  ] as const)(
    "$kind of $perRequest: what is taken is answered, the rest is refused, and others hardly notice",
    async (flood) => {
      const result = await overload({ ...flood, seconds: 3, calmSeconds: 1, factor: 3 }, () => {});
      expect(problems(result, BOUNDS), report(result)).toEqual([]);
    },
    180_000,
  );
});
