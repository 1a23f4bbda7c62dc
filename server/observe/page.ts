/**
 * A page in the text format of Prometheus, made anew for each reading: numbers are kept elsewhere.
 *
 * @module
 */
import { Counter, Gauge, type Metric, Registry } from "prom-client";
import type { HistogramReading } from "../../workers/protocol/histogram.ts";

/** Labels of one value. */
export type Labels = Record<string, string | number>;
/** Values of a family, each with its labels. */
export type Values = readonly (readonly [labels: Labels, value: number])[];

/** See the module comment. */
export class Page {
  readonly #registry = new Registry();

  /** Adds a family of values that go up and down. */
  gauge(name: string, help: string, values: number | Values): void {
    const all = valuesOf(values);
    const gauge = new Gauge({ name, help, labelNames: labelNamesOf(all), registers: [this.#registry] });
    for (const [labels, value] of all) gauge.set(labels, value);
  }

  /** Adds a family of values that only go up, until the process starts anew. */
  counter(name: string, help: string, values: number | Values): void {
    const all = valuesOf(values);
    const counter = new Counter({ name, help, labelNames: labelNamesOf(all), registers: [this.#registry] });
    for (const [labels, value] of all) counter.inc(labels, value);
  }

  /** Adds a family of histograms that were counted elsewhere. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    readings: readonly (readonly [labels: Labels, reading: HistogramReading])[],
  ): void {
    const values = readings.flatMap(([labels, reading]) => histogramValues(name, bounds, labels, reading));
    // The library only knows histograms that it counts itself; to be rendered, this is all that one needs.
    const metric = {
      name,
      help,
      type: "histogram",
      aggregator: "sum",
      reset() {},
      get: async () => ({ ...metric, values }),
    };
    this.#registry.registerMetric(metric as unknown as Metric);
  }

  /** @returns The page as text. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** What the page is served as. */
export const PAGE_TYPE = "text/plain; version=0.0.4; charset=utf-8";

function valuesOf(values: number | Values): Values {
  return typeof values === "number" ? [[{}, values]] : values;
}

function labelNamesOf(values: Values): string[] {
  // Without a name the library shows a zero for a family that has no value.
  return Object.keys(values[0]?.[0] ?? { none: "" });
}

function histogramValues(
  name: string,
  bounds: readonly number[],
  labels: Labels,
  { counts, sum }: HistogramReading,
): { labels: Labels; value: number; metricName: string }[] {
  let below = 0;
  const buckets = counts.map((count, at) => {
    below += count;
    return { labels: { le: bounds[at] ?? "+Inf", ...labels }, value: below, metricName: `${name}_bucket` };
  });
  return [
    ...buckets,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: below, metricName: `${name}_count` },
  ];
}
