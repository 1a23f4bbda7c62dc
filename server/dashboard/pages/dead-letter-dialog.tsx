/**
 * Asks, and then shows how far redriving or deleting many dead letters is.
 *
 * @module
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { type DeadLetterFilter, type Deed, type Progress, workThrough, workThroughAll } from "../dead-letter-work.ts";
import { groupName, plural, whole } from "../format.ts";
import { Dialog } from "../parts/dialog.tsx";
import type { DeadLetter } from "../shapes.ts";

/** What is to be done. */
export interface Job {
  deed: Deed;
  /** Null: all that match the filter. */
  letters: readonly DeadLetter[] | null;
  total: number;
}

const WORDS = {
  retry: { title: "Redrive dead letters", action: "Redrive", done: "redriven" },
  delete: { title: "Delete dead letters", action: "Delete", done: "deleted" },
} as const;
const TYPED = "delete";

/** See the module's comment. */
export function WorkDialog({ job, filter, onClose }: { job: Job; filter: DeadLetterFilter; onClose: () => void }) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [ended, setEnded] = useState(false);
  const [stopped, setStopped] = useState(false);
  const [typed, setTyped] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const words = WORDS[job.deed];
  const mustType = job.deed === "delete";
  const start = async (event: Event) => {
    event.preventDefault();
    setProgress({ total: job.total, done: 0, failed: 0, reason: null });
    try {
      await run(job, filter, setProgress, abort.current.signal);
    } catch (error) {
      if (!abort.current.signal.aborted) setFailure(error instanceof Error ? error.message : String(error));
    }
    setEnded(true);
  };
  // What is under way is waited for, so that the numbers in the end are those of what was done.
  const stop = () => {
    abort.current.abort();
    setStopped(true);
  };
  return (
    <Dialog title={words.title} onClose={onClose}>
      <form onSubmit={start}>
        <div class="stack">
          <p>
            {plural(job.total, "dead letter")}
            {job.letters === null ? describe(filter) : " chosen"} will be {words.done}.
            {job.deed === "retry"
              ? " They are delivered again to the groups that gave them up."
              : " The messages are gone then, for all groups."}
          </p>
          {mustType && progress === null && (
            <label class="field">
              <span class="label">
                Type <code>{TYPED}</code> to confirm
              </span>
              <input
                class="mono"
                value={typed}
                autocomplete="off"
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
            </label>
          )}
          {progress !== null && (
            <Bar progress={progress} word={words.done} end={ended ? (stopped ? "; stopped." : ".") : "…"} />
          )}
          {failure !== null && <p class="stale">{failure}</p>}
        </div>
        <footer>
          {ended ? (
            <button type="button" class="primary" onClick={onClose}>
              Close
            </button>
          ) : (
            <>
              <button type="button" onClick={progress === null ? onClose : stop} disabled={stopped}>
                {progress === null ? "Cancel" : "Stop"}
              </button>
              <button
                type="submit"
                class={mustType ? "danger" : "primary"}
                disabled={progress !== null || (mustType && typed !== TYPED)}
              >
                {words.action}
              </button>
            </>
          )}
        </footer>
      </form>
    </Dialog>
  );
}

function Bar({ progress, word, end }: { progress: Progress; word: string; end: string }) {
  const { done, failed, total, reason } = progress;
  return (
    <div class="stack" role="status">
      <progress class="meter" max={Math.max(1, total)} value={done + failed} />
      <p>
        {whole(done)} of {whole(total)} {word}
        {failed > 0 && `, ${whole(failed)} could not be (${reason})`}
        {end}
      </p>
    </div>
  );
}

function describe({ queue, consumerGroup, error }: DeadLetterFilter): string {
  return [
    queue && ` of the queue ${queue}`,
    consumerGroup && ` of the group ${groupName(consumerGroup)}`,
    error && " with the chosen error",
  ]
    .filter(Boolean)
    .join("");
}

async function run(
  job: Job,
  filter: DeadLetterFilter,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<void> {
  if (job.letters === null) {
    await workThroughAll(job.deed, filter, onProgress, signal);
    return;
  }
  const progress: Progress = { total: job.letters.length, done: 0, failed: 0, reason: null };
  await workThrough(
    job.deed,
    job.letters,
    (reason) => {
      if (reason === null) progress.done += 1;
      else Object.assign(progress, { failed: progress.failed + 1, reason });
      onProgress({ ...progress });
    },
    signal,
  );
}
