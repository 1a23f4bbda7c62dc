/**
 * Alerts and the dashboard ask for figures that a server shows, by labels they have.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { ROOT } from "../runtime/program.ts";
import { Api, leasedAckOf } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { uniqueName } from "../support/names.ts";
import { type Metric, parsePrometheus } from "../support/prometheus.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";

setDefaultTimeout(120_000);

const ALERTS = join(ROOT, "docs/deploy/prometheus/queen-alerts.yml");
/** What Prometheus adds to whatever it scrapes, and the figures it makes itself. */
const ADDED_LABELS = ["instance", "job"];
const OWN_FIGURES = ["up"];

interface Rule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: { summary: string };
}
const rules = (Bun.YAML.parse(readFileSync(ALERTS, "utf8")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

interface Panel {
  title: string;
  type: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}
const dashboard = JSON.parse(readFileSync(join(ROOT, "docs/deploy/grafana/queen.json"), "utf8")) as {
  panels: Panel[];
  templating: { list: { name: string; query: string | { query: string } }[] };
};

/** Figures and labels that an expression names. */
interface Named {
  errors: number;
  figures: string[];
  labels: string[];
}

function namesIn(expression: string): Named {
  // What Grafana fills in is a duration, or a value inside quotes.
  const text = expression.replaceAll("$__rate_interval", "5m");
  const named: Named = { errors: 0, figures: [], labels: [] };
  parser.parse(text).iterate({
    enter({ type, name, from, to, node }) {
      if (type.isError) named.errors++;
      if (name === "Identifier" && node.parent?.name === "VectorSelector") named.figures.push(text.slice(from, to));
      if (name === "LabelName") named.labels.push(text.slice(from, to));
    },
  });
  return named;
}

const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...dashboard.panels.flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => [title, expr] as const)),
];

let server: TestServer;
/** Labels of every figure on the page of a server that did some of everything. */
const labelsOf = new Map<string, Set<string>>();

beforeAll(async () => {
  server = await startServer({ env: { METRICS_SAMPLE_INTERVAL_MS: "100", METRICS_AGGREGATE_INTERVAL_S: "1" } });
  const api = new Api(new Http(server.url));
  const queue = uniqueName("watched");
  await api.configure(queue, { retryLimit: 0 });
  await api.pushAll(queue, "p", [1, 2]);
  const [message] = await api.pop(queue);
  await api.ackBatch([leasedAckOf(message!, "failed", "on purpose")]);
  const wanted = new Set(expressions.flatMap(([, expression]) => namesIn(expression).figures));
  for (const figure of OWN_FIGURES) wanted.delete(figure);
  let metrics: Metric[] = [];
  // Some figures come with the first sample or the first interval that is over. What never comes fails its own test.
  await until(
    async () => {
      metrics = parsePrometheus((await api.http.get("/metrics/prometheus")).text).metrics;
      const shown = new Set(metrics.map(({ name }) => name));
      return [...wanted].every((name) => shown.has(name));
    },
    60_000,
    "a value of every figure",
  ).catch((error: unknown) => console.error(String(error)));
  for (const { name, labels } of metrics) {
    const known = labelsOf.get(name) ?? new Set(ADDED_LABELS);
    for (const label of Object.keys(labels)) known.add(label);
    labelsOf.set(name, known);
  }
});
afterAll(async () => {
  await server?.stop();
});

test("there are rules and panels, and the parser tells right from wrong", () => {
  expect(rules.length).toBeGreaterThan(10);
  expect(expressions.length).toBeGreaterThan(40);
  expect(namesIn('sum by (le) (rate(a_b{c!="d"}[5m])) > 1')).toEqual({
    errors: 0,
    figures: ["a_b"],
    labels: ["le", "c"],
  });
  expect(namesIn("sum(rate(a[5m])").errors).toBeGreaterThan(0);
});

test.each(expressions)("%s: %s", (_title, expression) => {
  const { errors, figures, labels } = namesIn(expression);
  expect(errors).toBe(0);
  expect(figures.length).toBeGreaterThan(0);
  const known = new Set(ADDED_LABELS);
  for (const figure of figures) {
    if (OWN_FIGURES.includes(figure)) continue;
    expect([...labelsOf.keys()]).toContain(figure);
    for (const label of labelsOf.get(figure)!) known.add(label);
  }
  for (const label of labels) expect([...known]).toContain(label);
});

describe("alerts", () => {
  test("each has a name of its own, a severity and a summary whose labels the expression leaves", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, expr, labels, annotations } of rules) {
      expect(["critical", "warning"], alert).toContain(labels.severity!);
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/);
      const figures = namesIn(expr).figures.flatMap((figure) => [...(labelsOf.get(figure) ?? ADDED_LABELS)]);
      for (const [, label] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) {
        expect(kept ?? figures, alert).toContain(label!);
      }
    }
  });

  test.skipIf(Bun.which("promtool") === null)("promtool accepts them", () => {
    const { status, stderr } = spawnSync("promtool", ["check", "rules", ALERTS], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
  });
});

describe("dashboard", () => {
  test("its panels do not overlap, and its variables ask for a figure that is there", () => {
    const cells = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x},${y}`), title).toBe(false);
          cells.add(`${x},${y}`);
        }
      }
    }
    for (const { query } of dashboard.templating.list) {
      if (typeof query === "string") continue;
      const figure = /^label_values\((\w+), (\w+)\)$/.exec(query.query)!;
      expect([...labelsOf.get(figure[1]!)!]).toContain(figure[2]!);
    }
  });

  test("legends name labels that the expressions leave", () => {
    for (const { title, targets = [] } of dashboard.panels) {
      for (const { expr, legendFormat } of targets) {
        const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/);
        const figures = namesIn(expr).figures.flatMap((figure) => [...labelsOf.get(figure)!]);
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          expect(kept ?? figures, title).toContain(label!);
      }
    }
  });
});
