/**
 * A bar on stderr while something takes its time, when a person watches.
 *
 * @module
 */
import process from "node:process";

/** A bar. */
export interface Progress {
  /** Sets how far it is; a total above 0 makes it a bar, 0 a counter. */
  set(done: number, total: number): void;
  stop(): void;
}

const SILENT: Progress = { set: () => {}, stop: () => {} };

/**
 * Shows a bar.
 *
 * @param unit - What is counted.
 * @param wanted - False shows nothing, nor does a stderr that is no terminal.
 */
export async function startProgress(unit: string, wanted: boolean): Promise<Progress> {
  if (!wanted || process.stderr.isTTY !== true) return SILENT;
  const { default: cliProgress } = await import("cli-progress");
  const bar = new cliProgress.SingleBar({
    format: `{bar} {percentage}% | {value}/{total} ${unit} | {duration_formatted}`,
    stream: process.stderr,
    barsize: 30,
    hideCursor: false,
    clearOnComplete: true,
  });
  bar.start(1, 0);
  return {
    set(done, total) {
      bar.setTotal(Math.max(total, done, 1));
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
