/**
 * Asks for the token when authentication is on.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { identify, setToken, tokenWanted } from "../api.ts";

/** See the module's comment. @param reason - Why the token before was refused; empty without one. */
export function TokenForm({ reason }: { reason: string }) {
  const [value, setValue] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(reason);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setToken(value.trim());
    try {
      await identify();
    } catch (error) {
      setToken(null);
      setFailure(error instanceof Error ? error.message : String(error));
      tokenWanted.set("");
    }
    setBusy(false);
  };
  return (
    <div class="token">
      <form onSubmit={submit} class="panel stack">
        <h1>Queen asks for a token</h1>
        <p class="faint">
          Authentication is on. A token of the role read-only shows everything; read-write and admin may change things.
        </p>
        {failure !== "" && (
          <p class="stale" role="alert">
            {failure}
          </p>
        )}
        <div class="field">
          <label for="token">Token (JWT)</label>
          <textarea
            id="token"
            class="mono"
            rows={5}
            spellcheck={false}
            autocomplete="off"
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </div>
        <p class="faint">It is kept in this tab alone, until the tab is closed.</p>
        <footer>
          <button type="submit" class="primary" disabled={busy || value.trim() === ""}>
            {busy ? "Checking…" : "Continue"}
          </button>
        </footer>
      </form>
    </div>
  );
}
