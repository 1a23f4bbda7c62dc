/**
 * Makes a queue, or changes the options of one. Configuring overwrites everything, so the form is filled with what is.
 *
 * @module
 */
import { useEffect, useState } from "preact/hooks";
import { call, part } from "../api.ts";
import type { QueueOptions } from "../shapes.ts";
import { Dialog } from "./dialog.tsx";
import { Field } from "./layout.tsx";
import { Failure, Loading } from "./states.tsx";
import { attempt } from "./toast.tsx";

interface NumberOption {
  name: string;
  label: string;
  unit: string;
  /** What happens when nothing is entered. */
  unset: number | null;
}

const NUMBERS: readonly NumberOption[] = [
  { name: "leaseTime", label: "Lease time", unit: "seconds", unset: 300 },
  { name: "retryLimit", label: "Retry limit", unit: "retries before a dead letter", unset: 3 },
  { name: "retryDelay", label: "Retry delay", unit: "milliseconds; empty: at once", unset: null },
  { name: "priority", label: "Priority", unit: "within namespace or task", unset: 0 },
  { name: "delayedProcessing", label: "Delay", unit: "seconds before delivery", unset: 0 },
  { name: "windowBuffer", label: "Window", unit: "seconds of quiet first", unset: 0 },
  { name: "ttl", label: "Time to live", unit: "seconds; empty: for ever", unset: null },
  { name: "maxWaitTimeSeconds", label: "Longest wait", unit: "seconds until evicted; 0: never", unset: 0 },
  { name: "maxSize", label: "Largest size", unit: "messages; 0: any", unset: 0 },
  { name: "retentionSeconds", label: "Keep all", unit: "seconds; 0: for ever", unset: 0 },
  { name: "completedRetentionSeconds", label: "Keep consumed", unit: "seconds; 0: for ever", unset: 0 },
];
const SWITCHES = [
  { name: "retentionEnabled", label: "Delete by age", note: "Switches the two lengths of keeping on." },
  { name: "encryptionEnabled", label: "Encrypt payloads", note: "Needs a key in the settings of the server." },
] as const;

interface Draft {
  name: string;
  namespace: string;
  task: string;
  options: Record<string, string | boolean>;
  /** Options the form does not show; they stay as they are. */
  rest: QueueOptions;
}

function draftOf(answer: { namespace: string; task: string; options: QueueOptions }, name: string): Draft {
  const options: Draft["options"] = {};
  const rest = { ...answer.options };
  for (const { name: option, unset } of NUMBERS) {
    options[option] = String(answer.options[option] ?? unset ?? "");
    delete rest[option];
  }
  for (const { name: option } of SWITCHES) {
    options[option] = answer.options[option] === true;
    delete rest[option];
  }
  return { name, namespace: answer.namespace, task: answer.task, options, rest };
}

function bodyOf({ name, namespace, task, options, rest }: Draft): unknown {
  const given = Object.entries(options).filter(([, value]) => value !== "");
  const typed = given.map(([option, value]) => [option, typeof value === "string" ? Number(value) : value]);
  return { queue: name, namespace, task, options: { ...rest, ...Object.fromEntries(typed) } };
}

/** See the module's comment. @param name - Absent: a new queue. */
export function QueueForm(props: { name?: string; onClose: () => void; onSaved: (name: string) => void }) {
  const { name } = props;
  const [draft, setDraft] = useState<Draft | null>(
    name === undefined ? draftOf({ namespace: "", task: "", options: {} }, "") : null,
  );
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (name === undefined) return;
    call<Parameters<typeof draftOf>[0]>(`/api/v1/queues/${part(name)}/options`).then(
      (answer) => setDraft(draftOf(answer, name)),
      (error: Error) => setFailure(error.message),
    );
  }, [name]);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (draft === null) return;
    setBusy(true);
    const save = () => call("/api/v1/configure", { method: "POST", body: bodyOf(draft) });
    const saved = await attempt(save, name === undefined ? `Queue ${draft.name} was made` : "Options were saved");
    setBusy(false);
    if (!saved) return;
    props.onSaved(draft.name);
    props.onClose();
  };
  return (
    <Dialog title={name === undefined ? "New queue" : `Options of ${name}`} onClose={props.onClose} wide>
      {failure !== null && <Failure message={failure} retry={props.onClose} />}
      {draft === null && failure === null && <Loading />}
      {draft !== null && (
        <form onSubmit={submit}>
          <Fields draft={draft} isNew={name === undefined} onChange={setDraft} />
          <footer>
            <button type="button" onClick={props.onClose}>
              Cancel
            </button>
            <button type="submit" class="primary" disabled={busy || draft.name === ""}>
              {name === undefined ? "Make queue" : "Save options"}
            </button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}

function Fields({ draft, isNew, onChange }: { draft: Draft; isNew: boolean; onChange: (draft: Draft) => void }) {
  const set = (changes: Partial<Draft>) => onChange({ ...draft, ...changes });
  const setOption = (option: string, value: string | boolean) =>
    set({ options: { ...draft.options, [option]: value } });
  const texts = [
    ...(isNew ? [{ key: "name" as const, label: "Name" }] : []),
    { key: "namespace" as const, label: "Namespace" },
    { key: "task" as const, label: "Task" },
  ];
  return (
    <div class="stack">
      <div class="fields">
        {texts.map(({ key, label }) => (
          <Field key={key} label={label}>
            <input
              name={key}
              value={draft[key]}
              maxLength={255}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => set({ [key]: event.currentTarget.value })}
            />
          </Field>
        ))}
      </div>
      <div class="fields">
        {NUMBERS.map(({ name, label, unit, unset }) => (
          <Field key={name} label={label} note={unit}>
            <input
              name={name}
              type="number"
              step="1"
              required={unset !== null}
              value={String(draft.options[name])}
              onInput={(event) => setOption(name, event.currentTarget.value)}
            />
          </Field>
        ))}
      </div>
      {SWITCHES.map(({ name, label, note }) => (
        <label key={name} class="check">
          <input
            name={name}
            type="checkbox"
            checked={draft.options[name] === true}
            onChange={(event) => setOption(name, event.currentTarget.checked)}
          />
          <span>
            {label} <span class="faint">{note}</span>
          </span>
        </label>
      ))}
    </div>
  );
}
