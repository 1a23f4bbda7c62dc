/**
 * Moves a consumer group on a queue, after showing what that would skip and deliver again.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { call, part, query } from "../api.ts";
import { whole } from "../format.ts";
import { useResource } from "../resource.ts";
import { Dialog } from "./dialog.tsx";
import { Choice, Field, Figure, Figures } from "./layout.tsx";
import { Ready } from "./states.tsx";
import { attempt } from "./toast.tsx";

interface Preview {
  partitions: number;
  skipped: number;
  replayed: number;
  pending: number;
}

const TARGETS = [
  { value: "end", name: "To the end" },
  { value: "start", name: "To the beginning" },
  { value: "time", name: "After a time" },
] as const;
type Target = (typeof TARGETS)[number]["value"];
const BEGINNING = "1970-01-01T00:00:00.000Z";

/** Now, as the field for a local time has it. */
function localNow(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** See the module's comment. */
export function SeekForm(props: { group: string; queue: string; onClose: () => void; onDone: () => void }) {
  const { group, queue, onClose, onDone } = props;
  const [target, setTarget] = useState<Target>("end");
  const [time, setTime] = useState(localNow);
  const [busy, setBusy] = useState(false);
  const instant = target === "start" ? BEGINNING : instantOf(time);
  const where = target === "end" ? { toEnd: true } : { timestamp: instant };
  const path = `/api/v1/consumer-groups/${part(group)}/queues/${part(queue)}/seek`;
  const preview = useResource<Preview>(target !== "end" && instant === null ? null : `${path}${query(where)}`, 0);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const done = await attempt(() => call(path, { method: "POST", body: where }), "The group was moved");
    setBusy(false);
    if (!done) return;
    onDone();
    onClose();
  };
  return (
    <Dialog title={`Seek on ${queue}`} onClose={onClose}>
      <form onSubmit={submit}>
        <div class="stack">
          <Choice label="Where to" value={target} options={TARGETS} onChoose={setTarget} />
          {target === "time" && (
            <Field label="Continue with what was pushed after" note="In your time zone">
              <input
                type="datetime-local"
                name="time"
                step="1"
                required
                value={time}
                onInput={(event) => setTime(event.currentTarget.value)}
              />
            </Field>
          )}
          <Ready of={preview} rows={2}>
            {({ partitions, skipped, replayed, pending }) => (
              <Figures>
                <Figure name="Skipped" value={whole(skipped)} tone={skipped > 0 ? "warn" : undefined} />
                <Figure name="Delivered again" value={whole(replayed)} tone={replayed > 0 ? "warn" : undefined} />
                <Figure name="Pending then" value={whole(pending)} />
                <Figure name="Partitions" value={whole(partitions)} />
              </Figures>
            )}
          </Ready>
          <p class="faint">Counted now; leases the group holds there are given up.</p>
        </div>
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy || preview.value === null}>
            Move the group
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function instantOf(local: string): string | null {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
