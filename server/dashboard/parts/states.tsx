/**
 * What stands where there is nothing to show: not yet, nothing there, or not to be had.
 *
 * @module
 */
import type { ComponentChildren } from "preact";
import type { Resource } from "../resource.ts";

/** Nothing there, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  );
}

/** It failed, and how to try again. */
export function Failure({ message, retry }: { message: string; retry: () => void }) {
  return (
    <div class="state failure" role="alert">
      <strong>This could not be loaded</strong>
      <p>{message}</p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

/** Grey lines where rows will be. */
export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} />
      ))}
    </div>
  );
}

/** Shows what was read, or why there is nothing. What was read before stays when reading again fails, with a word about it. */
export function Ready<T>(props: { of: Resource<T>; rows?: number; children: (value: T) => ComponentChildren }) {
  const { value, error, reload } = props.of;
  if (value === null) {
    return error === null ? <Loading rows={props.rows} /> : <Failure message={error.message} retry={reload} />;
  }
  return (
    <>
      {error !== null && (
        <p class="stale" role="status">
          Not up to date: {error.message}
        </p>
      )}
      {props.children(value)}
    </>
  );
}
