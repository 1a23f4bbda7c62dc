import { expect, test } from "bun:test";
import { PerformanceLine, type Standing } from "../../../server/observe/performance-line.ts";
import { Durations } from "../../../server/pool/durations.ts";
import { Histogram } from "../../../workers/protocol/histogram.ts";
import {
  FLIGHT_BOUNDS,
  FLIGHT_KINDS,
  type FlightKind,
  type Observation,
} from "../../../workers/protocol/observation.ts";

/** A server whose clock and work the test moves. */
function scripted(intervalMs = 10_000, level: "debug" | "info" = "info") {
  let nowMs = 0;
  const lines: { level: string; event: string; fields: Record<string, unknown> }[] = [];
  const line = new PerformanceLine(
    { intervalMs, level },
    (lineLevel, event, fields = {}) => lines.push({ level: lineLevel, event, fields }),
    () => nowMs,
  );
  const durations = new Durations();
  const totals = { pushMessages: 0, popMessages: 0, ackSuccess: 0, ackFailed: 0, autoAcked: 0 };
  const flights = Object.fromEntries(FLIGHT_KINDS.map((kind) => [kind, new Histogram(FLIGHT_BOUNDS)])) as Record<
    FlightKind,
    Histogram
  >;
  const lane = { lane: "push", connectionsMax: 8, inUse: 3, waiting: 2 };
  const latest = [{ lanes: [lane], loopLag: { sumMs: 4, maxMs: 4, count: 1 }, parked: 5 } as unknown as Observation];
  const second = (routerLagMs = 1) => {
    nowMs += 1_000;
    const standing: Standing = {
      totals,
      operations: durations.read(),
      flights,
      latest,
      routerLagMs,
      rssBytes: 200 * 1024 * 1024,
    };
    line.note(standing);
  };
  return { lines, durations, totals, flights, lane, second };
}

test("rates, latencies and fill are those of the interval, worst figures those of all its looks", () => {
  const { lines, durations, totals, flights, lane, second } = scripted();
  totals.pushMessages = 1_000_000;
  durations.add("push", 20, 200);
  second();
  for (let at = 0; at < 99; at++) durations.add("push", 0.004, 201);
  durations.add("push", 0.2, 500);
  totals.pushMessages += 5_000;
  totals.popMessages += 100;
  totals.autoAcked += 100;
  flights.push.add(4);
  flights.push.add(6);
  second(70);
  lane.inUse = 1;
  lane.waiting = 0;
  for (let s = 0; s < 9; s++) second();
  expect(lines).toEqual([
    {
      level: "info",
      event: "performance",
      fields: {
        seconds: 10,
        requests_per_s: 10,
        pushed_per_s: 500,
        popped_per_s: 10,
        acked_per_s: 10,
        failures: 1,
        push_ms: 6,
        push_p99_ms: 5,
        push_flight_fill: 5,
        db_connections: 8,
        db_active_max: 3,
        db_waiting_max: 2,
        parked_pops: 5,
        router_lag_ms_max: 70,
        worker_lag_ms_max: 4,
        rss_mb: 200,
      },
    },
  ]);
});

test("a quiet server says nothing, nor one that is only asked for its health", () => {
  const { lines, durations, second } = scripted();
  for (let s = 0; s < 60; s++) {
    durations.add("health", 0.001, 200);
    second();
  }
  expect(lines).toEqual([]);
  durations.add("popWait", 30, 204);
  for (let s = 0; s < 11; s++) second();
  expect(lines.map(({ fields }) => fields.requests_per_s)).toEqual([0.1]);
});

test("level and interval are as configured, and 0 is never", () => {
  const debug = scripted(2_000, "debug");
  const never = scripted(0);
  for (let s = 0; s < 7; s++) {
    for (const server of [debug, never]) {
      server.durations.add("push", 0.001, 201);
      server.second();
    }
  }
  expect(debug.lines.map(({ level }) => level)).toEqual(["debug", "debug", "debug"]);
  expect(never.lines).toEqual([]);
});
