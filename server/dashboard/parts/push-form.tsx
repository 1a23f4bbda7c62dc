/**
 * Pushes a message by hand.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { call } from "../api.ts";
import { Dialog } from "./dialog.tsx";
import { Field } from "./layout.tsx";
import { attempt } from "./toast.tsx";

const EXAMPLE = '{\n  "hello": "world"\n}';

/** See the module's comment. */
export function PushForm({ queue, onClose, onPushed }: { queue: string; onClose: () => void; onPushed: () => void }) {
  const [partition, setPartition] = useState("");
  const [transactionId, setTransactionId] = useState("");
  const [text, setText] = useState(EXAMPLE);
  const [busy, setBusy] = useState(false);
  const problem = problemOf(text);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const item = {
      queue,
      payload: JSON.parse(text),
      ...(partition !== "" && { partition }),
      ...(transactionId !== "" && { transactionId }),
    };
    const pushed = await attempt(() => push(item), "The message was pushed");
    setBusy(false);
    if (!pushed) return;
    onPushed();
    onClose();
  };
  return (
    <Dialog title={`Push to ${queue}`} onClose={onClose}>
      <form onSubmit={submit} class="stack">
        <div class="fields">
          <Field label="Partition" note="Empty: Default">
            <input
              name="partition"
              value={partition}
              maxLength={255}
              onInput={(event) => setPartition(event.currentTarget.value)}
            />
          </Field>
          <Field label="Transaction id" note="Empty: drawn by the server">
            <input
              name="transactionId"
              value={transactionId}
              maxLength={255}
              onInput={(event) => setTransactionId(event.currentTarget.value)}
            />
          </Field>
        </div>
        <Field label="Payload" note={problem ?? "JSON"}>
          <textarea
            name="payload"
            class="mono"
            rows={9}
            spellcheck={false}
            aria-invalid={problem !== null}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </Field>
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy || problem !== null}>
            Push
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function problemOf(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function push(item: unknown): Promise<void> {
  const [result] = await call<{ status: string; error?: string }[]>("/api/v1/push", {
    method: "POST",
    body: { items: [item] },
  });
  if (result?.status === "duplicate") throw new Error("A message with this transaction id is there already.");
  if (result?.status === "failed") throw new Error(result.error ?? "The push failed.");
}
