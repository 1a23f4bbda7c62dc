/**
 * Windows over the page: modal ones, and those that ask whether one is sure.
 *
 * @module
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon } from "./icons.tsx";

/** A modal window; Escape, its cross and a click beside it close it. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }) {
  const element = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const dialog = element.current!;
    dialog.showModal();
    // The browser would begin at the cross.
    dialog.querySelector<HTMLElement>("form input, form textarea")?.focus();
    const beside = (event: MouseEvent) => event.target === dialog && dialog.close();
    dialog.addEventListener("click", beside);
    return () => dialog.removeEventListener("click", beside);
  }, []);
  return (
    <dialog ref={element} class={props.wide ? "wide" : ""} aria-labelledby={title} onClose={props.onClose}>
      <div class="dialog-body">
        <header>
          <h2 id={title}>{props.title}</h2>
          <button type="button" class="ghost square" aria-label="Close" onClick={props.onClose}>
            <Icon name="close" />
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** What {@link Confirm} asks. */
export interface ConfirmProps {
  title: string;
  /** What will happen. */
  children: ComponentChildren;
  /** On the button. */
  action: string;
  /** Has to be typed first. */
  typed?: string;
  danger?: boolean;
  /** @returns Whether the window may close. */
  onConfirm: () => Promise<boolean>;
  onClose: () => void;
}

/** Asks whether one is sure, where it matters by having a name typed. */
export function Confirm(props: ConfirmProps) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useId();
  const ready = !busy && (props.typed === undefined || text === props.typed);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    if (await props.onConfirm()) props.onClose();
    else setBusy(false);
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={submit}>
        <div class="stack">
          {props.children}
          {props.typed !== undefined && (
            <div class="field">
              <label for={field}>
                Type <code>{props.typed}</code> to confirm
              </label>
              <input
                id={field}
                class="mono"
                value={text}
                autocomplete="off"
                spellcheck={false}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            </div>
          )}
        </div>
        <footer>
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class={props.danger ? "danger" : "primary"} disabled={!ready}>
            {busy ? "Working…" : props.action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
