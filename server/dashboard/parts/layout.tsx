/**
 * Pieces that pages are made of.
 *
 * @module
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ago, moment } from "../format.ts";
import { Icon } from "./icons.tsx";
import { notify } from "./toast.tsx";

/** Head of a page: where one is, and what can be done there. */
export function PageHead(props: { title: ComponentChildren; above?: ComponentChildren; children?: ComponentChildren }) {
  return (
    <header class="page-head">
      <div>
        {props.above && <p class="crumbs">{props.above}</p>}
        <h1>{props.title}</h1>
      </div>
      <div class="actions">{props.children}</div>
    </header>
  );
}

/** A framed part of a page. */
export function Panel(props: {
  title?: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
  flush?: boolean;
}) {
  return (
    <section class={`panel${props.flush ? " flush" : ""}`} aria-label={props.title}>
      {(props.title || props.aside) && (
        <header>
          <h2>{props.title}</h2>
          <div class="aside">{props.aside}</div>
        </header>
      )}
      {props.children}
    </section>
  );
}

/** A figure with its name. */
export function Figure(props: {
  name: string;
  value: ComponentChildren;
  note?: ComponentChildren;
  tone?: "bad" | "warn";
}) {
  return (
    <div class={`figure ${props.tone ?? ""}`}>
      <dt>{props.name}</dt>
      <dd>
        <span class="value">{props.value}</span>
        {props.note && <small>{props.note}</small>}
      </dd>
    </div>
  );
}

/** Figures beside one another. */
export function Figures({ children }: { children: ComponentChildren }) {
  return <dl class="figures">{children}</dl>;
}

/** A state in one word, told by its colour as well. */
export function Badge({
  tone,
  children,
}: {
  tone: "good" | "warn" | "bad" | "calm" | "busy";
  children: ComponentChildren;
}) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** Tones of what may become of a message. */
const STATUS_TONES = { pending: "calm", processing: "busy", completed: "good", dead_letter: "bad" } as const;

/** What became of a message. */
export function Status({ of }: { of: string }) {
  return <Badge tone={STATUS_TONES[of as keyof typeof STATUS_TONES] ?? "calm"}>{of.replace("_", " ")}</Badge>;
}

/** When something was, in words; the instant itself on hovering. */
export function Time({ at }: { at: string | null }) {
  if (at === null) return <span class="faint">never</span>;
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  );
}

/** Turns pages of a listing. */
export function Pager(props: {
  offset: number;
  limit: number;
  shown: number;
  total?: number;
  onPage: (offset: number) => void;
}) {
  const { offset, limit, shown, total, onPage } = props;
  if (offset === 0 && shown < limit) return null;
  const last = total !== undefined ? offset + shown >= total : shown < limit;
  return (
    <nav class="pager" aria-label="Pages">
      <span>
        {shown === 0 ? "Nothing here" : `${offset + 1}–${offset + shown}`}
        {total !== undefined && ` of ${total.toLocaleString("en-US")}`}
      </span>
      <button type="button" disabled={offset === 0} onClick={() => onPage(Math.max(0, offset - limit))}>
        Back
      </button>
      <button type="button" disabled={last} onClick={() => onPage(offset + limit)}>
        Next
      </button>
    </nav>
  );
}

/** Text to be copied by a click. */
export function Copyable({ text, shown }: { text: string; shown?: string }) {
  const copy = () => {
    const done = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    done.then(
      () => notify("done", "Copied"),
      () => notify("failed", "The browser does not let this page copy"),
    );
  };
  return (
    <button type="button" class="copyable mono" title={`Copy ${text}`} onClick={copy}>
      {shown ?? text}
    </button>
  );
}

/** A column of a table whose rows can be put in its order. */
export interface Column<T> {
  name: string;
  /** What rows are ordered by; absent: they cannot be. */
  by?: (row: T) => number | string;
  /** Numbers stand at the right. */
  number?: boolean;
  /** Left out where the screen is narrow. */
  minor?: boolean;
  /** No wider than what is in it. */
  tight?: boolean;
  cell: (row: T) => ComponentChildren;
}

/** A table. Narrow screens leave out what is minor. */
export function Table<T>(props: {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  /** Shows only a page of the ordered rows. */
  page?: { offset: number; limit: number };
  /** Column it is ordered by at first, by name, with a minus before it for the largest first; absent: as the rows come. */
  order?: string;
}) {
  const [order, setOrder] = useState(props.order ?? "");
  const descending = order.startsWith("-");
  const by = props.columns.find(({ name }) => name === order.replace("-", ""))?.by;
  const rows =
    by === undefined ? props.rows : [...props.rows].sort((a, b) => compare(by(a), by(b)) * (descending ? -1 : 1));
  const { page } = props;
  const shown = page === undefined ? rows : rows.slice(page.offset, page.offset + page.limit);
  const turn = ({ name, number }: Column<T>) => {
    const first = number ? `-${name}` : name;
    setOrder(order === first ? (number ? name : `-${name}`) : first);
  };
  return (
    <div class="scroll">
      <table aria-label={props.label}>
        <thead>
          <tr>
            {props.columns.map((column) => {
              const own = order.replace("-", "") === column.name && column.by !== undefined;
              return (
                <th
                  key={column.name}
                  scope="col"
                  class={classOf(column)}
                  aria-sort={own ? (descending ? "descending" : "ascending") : undefined}
                >
                  {column.by === undefined ? (
                    column.name
                  ) : (
                    <button type="button" onClick={() => turn(column)}>
                      {column.name}
                      {own && <Icon name={descending ? "down" : "up"} />}
                    </button>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={props.rowKey(row)}>
              {props.columns.map((column) => (
                <td key={column.name} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classOf({ number, minor, tight }: { number?: boolean; minor?: boolean; tight?: boolean }): string {
  return [number && "number", minor && "minor", tight && "tight"].filter(Boolean).join(" ");
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/** One of a few, each on a button of its own. */
export function Choice<T extends string | number>(props: {
  label: string;
  value: T;
  options: readonly { value: T; name: ComponentChildren; title?: string }[];
  onChoose: (value: T) => void;
}) {
  return (
    <fieldset class="segmented" aria-label={props.label}>
      {props.options.map(({ value, name, title }) => (
        <button
          key={value}
          type="button"
          aria-pressed={props.value === value}
          aria-label={title}
          title={title}
          onClick={() => props.onChoose(value)}
        >
          {name}
        </button>
      ))}
    </fieldset>
  );
}

/** A field to search in a list. */
export function Search(props: { label: string; value: string; onSearch: (text: string) => void }) {
  return (
    <label class="search">
      <Icon name="search" />
      <input
        type="search"
        aria-label={props.label}
        placeholder={props.label}
        value={props.value}
        onInput={(event) => props.onSearch(event.currentTarget.value)}
      />
    </label>
  );
}

/** A field of a form with its label. */
export function Field(props: { label: string; note?: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is what it is given to hold.
    <label class="field">
      <span class="label">{props.label}</span>
      {props.children}
      {props.note && <small>{props.note}</small>}
    </label>
  );
}
