/**
 * Places within the page: the part of the address after `#`.
 *
 * @module
 */
import { Store } from "./store.ts";

/** A place. */
export interface Place {
  /** Decoded segments: `["queues", "orders"]`. */
  segments: readonly string[];
  search: URLSearchParams;
}

function read(): Place {
  const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { segments: path.split("/").filter(Boolean).map(decode), search: new URLSearchParams(search) };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Where we are. */
export const place = new Store<Place>(read());
addEventListener("hashchange", () => place.set(read()));

/** The address of a place, for links; what is empty is left out of the search. */
export function href(
  segments: readonly string[],
  search: Record<string, string | number | null | undefined> = {},
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return `#/${segments.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

/** Goes to a place. */
export function go(segments: readonly string[], search: Record<string, string | number | null | undefined> = {}): void {
  location.hash = href(segments, search);
}

/** Changes the search of this place without leaving a trace in the history. */
export function refine(changes: Record<string, string | number | null>): void {
  const { segments, search } = place.value;
  const next: Record<string, string | number | null> = { ...Object.fromEntries(search), ...changes };
  history.replaceState(null, "", href(segments, next));
  place.set(read());
}
