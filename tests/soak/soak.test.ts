import { expect, setDefaultTimeout, test } from "bun:test";
import { openDatabase } from "../support/database.ts";
import { sparkline } from "./chart.ts";
import { Ledger } from "./ledger.ts";
import { csvText, passed, reportText } from "./report.ts";
import { runSoak, type SoakReport } from "./soak.ts";
import { JUDGED_FROM_S, judge, medianSlope, type Sample } from "./verdict.ts";

setDefaultTimeout(300_000);

const PLANTED_BYTES = 3_000_000;
/** Longer than this test on the busiest machine: nothing may be deleted before it was consumed. */
const RETENTION_S = 60;

function series(measure: string, of: (atS: number) => number): Sample[] {
  return Array.from({ length: 60 }, (_, at) => ({ atS: at * 10, values: { [measure]: of(at * 10) } }));
}

function flatness(measure: string, of: (atS: number) => number, ceilings = {}): boolean | undefined {
  return judge(series(measure, of), ceilings)[0]?.flat;
}

/** A wave of a hundredth of its height and a peak now and then, as real measures have them. */
function noise(atS: number): number {
  return Math.sin(atS / 7) + (atS % 110 === 0 ? 40 : 0);
}

test("noise and single peaks are flat, slow growth under them is not", () => {
  expect(flatness("server_rss_mb", (atS) => 500 + noise(atS))).toBe(true);
  expect(flatness("server_rss_mb", (atS) => 500 + noise(atS) + atS * 0.3)).toBe(false);
  expect(flatness("table_cursors_mb", (atS) => 10 + noise(atS) + atS / 20)).toBe(false);
  expect(flatness("dead_rows", (atS) => 5_000 + 4_000 * ((atS / 60) % 1))).toBe(true);
  expect(flatness("dead_rows", (atS) => 5_000 + 400 * atS)).toBe(false);
});

test("growth that ended in the first half is flat; throughput may grow and not fall", () => {
  expect(flatness("database_mb", (atS) => Math.min(atS, 250))).toBe(true);
  expect(flatness("pushed_per_s", (atS) => 1_000 + atS)).toBe(true);
  expect(flatness("pushed_per_s", (atS) => 2_000 - atS)).toBe(false);
});

test("a measure with a ceiling is judged by it, one without a bound not at all", () => {
  expect(flatness("wal_mb", (atS) => atS, { wal_mb: 600 })).toBe(true);
  expect(flatness("wal_mb", (atS) => atS, { wal_mb: 580 })).toBe(false);
  expect(flatness("machine_cores", (atS) => atS)).toBeUndefined();
  expect(medianSlope(series("x", (atS) => 3 * atS).map(({ atS, values }) => ({ atS, value: values.x! })))).toBe(3);
});

test("the ledger of an honest queue is clean, with failures and repeats of what failed", () => {
  const ledger = new Ledger("q", ["a"]);
  ledger.pushed("p", 3);
  for (const number of [0, 1, 2]) expect(ledger.delivered("a", "p", number)).toBe(0);
  ledger.failed("a", "p", 1);
  for (const number of [0, 2]) ledger.resolved("a", "p", number);
  expect(ledger.backlog).toBe(1);
  expect(ledger.delivered("a", "p", 1)).toBe(1);
  ledger.resolved("a", "p", 1);
  ledger.close();
  expect([ledger.violations, ledger.backlog]).toEqual([[], 0]);
});

test.each([
  ["lost at the end", [0, 1], "a saw 2 of 3 messages of p"],
  ["lost in the middle", [0, 2], "a got p/2 where 1 is next"],
  ["doubled", [0, 1, 1, 2], "a got p/1 again after its answer"],
  ["out of order", [1, 0, 2], "a got p/1 where 0 is next"],
])("the ledger finds a message that was %s", (_what, numbers, text) => {
  const ledger = new Ledger("q", ["a"]);
  ledger.pushed("p", 3);
  for (const number of numbers) {
    ledger.delivered("a", "p", number);
    ledger.resolved("a", "p", number);
  }
  ledger.close();
  expect(ledger.violations).toContain(`q: ${text}`);
});

test("the ledger finds a message without an answer, and one that another group never got", () => {
  const ledger = new Ledger("q", ["a", "b"]);
  ledger.pushed("p", 1);
  ledger.delivered("a", "p", 0);
  ledger.close();
  expect(ledger.violations).toEqual(["q: a left 1 messages of p without an answer", "q: b saw 0 of 1 messages of p"]);
});

test("a series is drawn between its lowest and highest value, a level one in the middle", () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe("▁▂▃▄▅▆▇█");
  expect(sparkline([100, 101, 100])).toBe("▄▄▄");
  expect(sparkline(Array.from({ length: 600 }, (_, at) => at))).toHaveLength(60);
});

/** Puts some megabytes into a table of its own among the server's before each look. */
async function plantGrowth(dataDir: string): Promise<void> {
  const sql = await openDatabase(dataDir);
  await sql`create table if not exists queen.planted (body bytea)`;
  await sql`alter table queen.planted alter column body set storage external`;
  await sql`insert into queen.planted values (convert_to(repeat('x', ${PLANTED_BYTES}), 'UTF8'))`;
  await sql.end();
}

test("a short soak of a real server: the sums hold, and growth that was planted in its database is found", async () => {
  const report: SoakReport = await runSoak({
    seconds: 12,
    workers: 2,
    load: 0.3,
    retentionSeconds: RETENTION_S,
    sampleSeconds: 1,
    capacitySeconds: 3,
    progress: () => {},
    stop: new AbortController().signal,
    beforeLook: plantGrowth,
  });
  expect(report.problems).toEqual([]);
  expect(report.pushed).toBeGreaterThan(1_000);
  expect(report.delivered).toBeGreaterThan(report.pushed);
  expect(report.expired).toBeGreaterThan(0);
  expect(report.deadLetters).toBeGreaterThan(0);
  expect(report.samples.length).toBeGreaterThanOrEqual(8);
  expect(csvText(report.samples).trim().split("\n")).toHaveLength(report.samples.length + 1);
  const growing = report.findings.filter(({ flat }) => !flat).map(({ measure }) => measure);
  expect(growing).toContain("table_planted_mb");
  expect(passed(report)).toBe(true);
  expect(passed({ ...report, judgesGrowth: true })).toBe(false);
  expect(passed({ ...report, problems: ["1 times push: 500"] })).toBe(false);
  expect(reportText(report)).not.toContain("could not carry");
  expect(reportText({ ...report, retentionSeconds: 0.001 })).toContain("could not carry");
  expect(reportText({ ...report, judgesGrowth: true })).toMatch(/GROWS table_planted_mb[\s\S]*FAILED/);
  expect(JUDGED_FROM_S).toBeGreaterThan(12);
});
