/**
 * Payloads: JSON that folds, and bytes.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { whole } from "../format.ts";
import { Choice, Copyable } from "./layout.tsx";

/** Levels that are open at first. */
const OPEN_DEPTH = 2;
/** Elements shown of a list or an object before one asks for more. */
const SHOWN = 100;
/** Bytes shown. */
const BYTES_SHOWN = 4_096;
const ROW = 16;
const VIEWS = [
  { value: "json", name: "JSON" },
  { value: "text", name: "Text" },
  { value: "bytes", name: "Bytes" },
] as const;
type View = (typeof VIEWS)[number]["value"];
const BASE64 = /^(?:[A-Za-z0-9+/]{4}){6,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A payload, to be looked at as JSON, as text, or as bytes. */
export function Payload({ value }: { value: unknown }) {
  const packed = typeof value === "string" && BASE64.test(value);
  const [view, setView] = useState<View>("json");
  const text = JSON.stringify(value, null, 2) ?? "null";
  return (
    <div class="payload">
      <div class="bar">
        <Choice label="Show as" value={view} options={VIEWS} onChoose={setView} />
        <span class="faint">{whole(new Blob([JSON.stringify(value) ?? "null"]).size)} bytes as JSON</span>
        <Copyable text={text} shown="Copy" />
      </div>
      {view === "json" && (
        <div class="tree mono">
          <Node value={value} depth={0} />
        </div>
      )}
      {view === "text" && <pre class="mono">{typeof value === "string" ? value : text}</pre>}
      {view === "bytes" && (
        <Bytes
          bytes={
            packed
              ? decoded(value)
              : new TextEncoder().encode(typeof value === "string" ? value : (JSON.stringify(value) ?? "null"))
          }
          packed={packed}
        />
      )}
    </div>
  );
}

function decoded(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function Node({ value, depth, name }: { value: unknown; depth: number; name?: string }) {
  const [open, setOpen] = useState(depth < OPEN_DEPTH);
  const [shown, setShown] = useState(SHOWN);
  const label = name === undefined ? null : <span class="key">{name}: </span>;
  if (typeof value !== "object" || value === null) {
    return (
      <div class="leaf">
        {label}
        <span class={`v-${value === null ? "null" : typeof value}`}>{JSON.stringify(value) ?? "null"}</span>
      </div>
    );
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [first, last] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0)
    return (
      <div class="leaf">
        {label}
        {first}
        {last}
      </div>
    );
  return (
    <div class="branch">
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {label}
        {first}
        {!open && (
          <span class="faint">
            {" "}
            {whole(entries.length)} {isList ? "elements" : "fields"} {last}
          </span>
        )}
      </button>
      {open && (
        <>
          <div class="children">
            {entries.slice(0, shown).map(([key, child]) => (
              <Node key={key} name={key} value={child} depth={depth + 1} />
            ))}
            {entries.length > shown && (
              <button type="button" class="link" onClick={() => setShown(shown + SHOWN)}>
                {whole(entries.length - shown)} more
              </button>
            )}
          </div>
          <div class="leaf">{last}</div>
        </>
      )}
    </div>
  );
}

const hex = (byte: number) => byte.toString(16).padStart(2, "0");

function Bytes({ bytes, packed }: { bytes: Uint8Array; packed: boolean }) {
  const shown = bytes.subarray(0, BYTES_SHOWN);
  const rows: string[] = [];
  for (let at = 0; at < shown.length; at += ROW) {
    const row = shown.subarray(at, at + ROW);
    const text = [...row].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    rows.push(
      `${at.toString(16).padStart(6, "0")}  ${[...row]
        .map(hex)
        .join(" ")
        .padEnd(ROW * 3 - 1)}  ${text}`,
    );
  }
  return (
    <>
      <pre class="mono hex">{rows.join("\n")}</pre>
      <p class="faint">
        {whole(bytes.length)} bytes{packed && ", decoded from base64"}
        {bytes.length > shown.length && `; the first ${whole(shown.length)} are shown`}
      </p>
    </>
  );
}
