/**
 * Series over time, drawn by uPlot in the colours of the theme.
 *
 * @module
 */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { bytes, duration } from "../format.ts";
import { useStore } from "../store.ts";
import { isDark } from "../theme.ts";

/** One line. */
export interface Series {
  name: string;
  /** Name of a colour of the style sheet, without its dashes. */
  color: string;
  values: readonly (number | null)[];
  /** Filled down to the axis. */
  fill?: boolean;
}

/** What {@link Chart} draws. */
export interface ChartProps {
  /** For those who do not see it. */
  label: string;
  /** In seconds since 1970, ascending. */
  at: readonly number[];
  series: readonly Series[];
  /** Writes a value. */
  format: (value: number) => string;
  height?: number;
  /** Shows at least the last so many seconds, also where there is nothing yet. */
  spanSeconds?: number;
  /** Lines end where there is no value, instead of going on to the next one. */
  gaps?: boolean;
}

const HEIGHT = 180;
const AXIS_WIDTH = 54;
/** Distances of lines at which times and sizes are round. */
const DURATION_STEPS_MS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5,
  216e5, 864e5, 864e6, 864e7,
];
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function options(props: ChartProps, width: number): uPlot.Options {
  const { format, height = HEIGHT } = props;
  const font = "11px ui-sans-serif, system-ui, sans-serif";
  const axis = { stroke: color("faint"), font, ticks: { show: false }, grid: { stroke: color("line"), width: 1 } };
  return {
    width,
    height,
    padding: [8, 18, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { show: true, live: true },
    scales: {
      x: {
        time: true,
        ...(props.spanSeconds && { range: (_, min, max) => [Math.min(min, max - (props.spanSeconds ?? 0)), max] }),
      },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 76,
        size: 28,
        values: (_, ticks, __, ___, step) => ticks.map((tick) => clock(tick, step)),
      },
      {
        ...axis,
        ...(format === duration && { incrs: DURATION_STEPS_MS }),
        ...(format === bytes && { incrs: BYTE_STEPS }),
        size: AXIS_WIDTH,
        space: 34,
        values: (_, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      { label: "At", value: (plot, at) => clock(at ?? plot.data[0].at(-1) ?? 0, 1) },
      ...props.series.map(({ name, color: of, fill }) => ({
        label: name,
        stroke: color(of),
        width: 1.5,
        ...(fill && { fill: `color-mix(in srgb, ${color(of)} 14%, transparent)` }),
        points: { show: (plot: uPlot) => plot.data[0].length < 3 },
        spanGaps: !props.gaps,
        value: (plot: uPlot, value: number | null, at: number) => shown(plot, value, at, format),
      })),
    ],
  };
}

/** What the pointer is at; without it, the latest. */
function shown(plot: uPlot, value: number | null, at: number, format: (value: number) => string): string {
  const chosen = value ?? (plot.cursor.idx == null ? [...plot.data[at]!].findLast((each) => each != null) : null);
  return chosen == null ? "–" : format(chosen);
}

const two = (value: number) => String(value).padStart(2, "0");

/** A point of time as it is written at the axis: with seconds where they matter, with the day where hours do not. */
export function clock(at: number, stepSeconds: number): string {
  const date = new Date(at * 1_000);
  if (stepSeconds >= 86_400) return `${date.getMonth() + 1}/${date.getDate()}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return stepSeconds < 60 ? `${time}:${two(date.getSeconds())}` : time;
}

function dataOf({ at, series, spanSeconds = 3_600 }: ChartProps): uPlot.AlignedData {
  // An axis of time needs two ends.
  if (at.length < 2) {
    const last = at[0] ?? Date.now() / 1_000;
    return [[last - spanSeconds, last], ...series.map(({ values }) => [null, values[0] ?? null])];
  }
  return [[...at], ...series.map(({ values }) => [...values])];
}

/** A chart as wide as its place. */
export function Chart(props: ChartProps) {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const dark = useStore(isDark);
  const shape = props.series.map(({ name }) => name).join();
  useEffect(() => {
    const at = element.current!;
    const height = latest.current.height ?? HEIGHT;
    plot.current = new uPlot(options(latest.current, at.clientWidth || 300), dataOf(latest.current), at);
    const watch = new ResizeObserver(() => {
      if (at.clientWidth > 0) plot.current?.setSize({ width: at.clientWidth, height });
    });
    watch.observe(at);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [dark, shape]);
  useEffect(() => plot.current?.setData(dataOf(props)));
  const empty = props.series.every(({ values }) => values.every((value) => value == null));
  return (
    <div class="chart-place">
      <div class="chart" ref={element} role="img" aria-label={empty ? `${props.label}: nothing yet` : props.label} />
      {empty && <p class="chart-empty">Nothing in this time yet</p>}
    </div>
  );
}
