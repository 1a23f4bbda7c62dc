/**
 * Short notices of what was done, or failed.
 *
 * @module
 */
import { Store, useStore } from "../store.ts";

interface Notice {
  id: number;
  kind: "done" | "failed";
  text: string;
}

const SHOWN_MS = 6_000;
const SHOWN_MAX = 4;
const notices = new Store<readonly Notice[]>([]);
let nextId = 1;

/** Shows a notice for a few seconds. */
export function notify(kind: Notice["kind"], text: string): void {
  const notice = { id: nextId++, kind, text };
  notices.set([...notices.value, notice].slice(-SHOWN_MAX));
  setTimeout(() => notices.set(notices.value.filter(({ id }) => id !== notice.id)), SHOWN_MS);
}

/** Does something and says how it went. @returns Whether it succeeded. */
export async function attempt(work: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await work();
    notify("done", done);
    return true;
  } catch (error) {
    notify("failed", error instanceof Error ? error.message : String(error));
    return false;
  }
}

/** Where the notices appear. */
export function Notices() {
  const shown = useStore(notices);
  return (
    <div class="notices" role="status" aria-live="polite">
      {shown.map(({ id, kind, text }) => (
        <p key={id} class={`notice ${kind}`}>
          {text}
        </p>
      ))}
    </div>
  );
}
