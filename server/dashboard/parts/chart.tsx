/**
 * Series over time, drawn by uPlot in the colours of the theme.
 *
 * @module
 */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
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
  /** Lines end where there is no value, instead of going on to the next one. */
  gaps?: boolean;
}

const HEIGHT = 180;
const AXIS_WIDTH = 54;

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
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { show: true, live: true },
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 26 },
      { ...axis, size: AXIS_WIDTH, space: 34, values: (_, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      { label: "", value: (_, at) => (at == null ? "" : new Date(at * 1_000).toLocaleTimeString("en-GB")) },
      ...props.series.map(({ name, color: of, fill }) => ({
        label: name,
        stroke: color(of),
        width: 1.5,
        ...(fill && { fill: `color-mix(in srgb, ${color(of)} 14%, transparent)` }),
        points: { show: false },
        spanGaps: !props.gaps,
        value: (_: uPlot, value: number | null) => (value == null ? "–" : format(value)),
      })),
    ],
  };
}

function dataOf({ at, series }: ChartProps): uPlot.AlignedData {
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
  return <div class="chart" ref={element} role="img" aria-label={props.label} />;
}
