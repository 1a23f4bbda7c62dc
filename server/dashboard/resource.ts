/**
 * What a component shows of the server, read again and again while somebody looks.
 *
 * @module
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, account, call } from "./api.ts";
import { useStore } from "./store.ts";

/** Something read; `value` stays what it was while it is read again, and when that fails. */
export interface Resource<T> {
  value: T | null;
  error: ApiError | null;
  /** Nothing was read yet. */
  loading: boolean;
  /** Reads it now. */
  reload: () => void;
}

/** What takes the server long is asked for less often: the pause is at least so many times what the last answer took. */
const PAUSE_FACTOR = 5;
/** Pause between two readings unless a component says otherwise. */
export const REFRESH_MS = 5_000;

/**
 * Reads a path, and again every `everyMs` (0: only once) as long as the page is visible.
 *
 * @param path - Null reads nothing.
 */
export function useResource<T>(path: string | null, everyMs = REFRESH_MS): Resource<T> {
  const who = useStore(account);
  const [state, setState] = useState<{ path: string | null; value: T | null; error: ApiError | null }>({
    path,
    value: null,
    error: null,
  });
  const [round, setRound] = useState(0);
  const latest = useRef(path);
  latest.current = path;
  useEffect(() => {
    if (path === null || who === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = (tookMs: number) => {
      if (everyMs === 0 || abort.signal.aborted) return;
      timer = setTimeout(read, Math.max(everyMs, PAUSE_FACTOR * tookMs));
    };
    const read = async () => {
      if (document.hidden) return again(0);
      const begunAt = performance.now();
      try {
        const value = await call<T>(path, { signal: abort.signal });
        if (!abort.signal.aborted) setState({ path, value, error: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        const failure = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState((before) => ({ path, value: before.path === path ? before.value : null, error: failure }));
      }
      again(performance.now() - begunAt);
    };
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, round, who]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  const own = state.path === path;
  const value = own ? state.value : null;
  const error = own ? state.error : null;
  return { value, error, loading: value === null && error === null, reload };
}
