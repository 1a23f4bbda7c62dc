/**
 * Calls on the server's API, with the token that was entered, if any.
 *
 * @module
 */
import { Store } from "./store.ts";

const TOKEN_KEY = "queen-token";
const ANSWER_MS_MAX = 30_000;

/** Who the server takes us for. */
export interface Account {
  authentication: boolean;
  role: "read-only" | "read-write" | "admin";
  subject: string | null;
}

/** Why a call failed; status 0: the server could not be reached. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** Who we are; null until the server has said so. */
export const account = new Store<Account | null>(null);
/** Why a token is asked for; null while none is needed. */
export const tokenWanted = new Store<string | null>(null);

/** Whether the account may do what asks for a role. */
export function may(role: "read-write" | "admin", who: Account | null): boolean {
  return who !== null && (who.role === "admin" || who.role === role);
}

/** The token entered in this tab; null without one. */
export function token(): string | null {
  return sessionStorage.getItem(TOKEN_KEY);
}

/** Keeps a token for as long as this tab lives; null forgets it. */
export function setToken(value: string | null): void {
  if (value === null) sessionStorage.removeItem(TOKEN_KEY);
  else sessionStorage.setItem(TOKEN_KEY, value);
}

/** Address of a path of the API; works behind a proxy that adds a prefix. */
export function address(path: string): string {
  return new URL(path.replace(/^\//, ""), document.baseURI.replace(/[?#].*$/, "")).href;
}

/** Headers of every call. */
export function headers(): Record<string, string> {
  const value = token();
  return value === null ? {} : { authorization: `Bearer ${value}` };
}

/** What a call may carry. */
export interface CallOptions {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
}

/**
 * Calls the API.
 *
 * @returns The decoded answer; null for one without a body.
 * @throws {@link ApiError} for every answer that is none of 200 to 299, or says `success: false` or `error` although it is.
 */
export async function call<T>(path: string, options: CallOptions = {}): Promise<T> {
  const { method = "GET", body, signal } = options;
  const limit = AbortSignal.timeout(ANSWER_MS_MAX);
  let response: Response;
  let text: string;
  try {
    response = await fetch(address(path), {
      method,
      headers: { ...headers(), ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      cache: "no-store",
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, limit.aborted ? "The server did not answer in time." : "The server cannot be reached.");
  }
  const value = parse(text);
  if (!response.ok) {
    const message = errorOf(value) ?? `The server answered ${response.status}.`;
    if (response.status === 401) tokenWanted.set(token() === null ? "" : message);
    throw new ApiError(response.status, message);
  }
  const failure = errorOf(value);
  if (failure !== null) throw new ApiError(response.status, failure);
  return value as T;
}

function parse(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The error an answer tells of; messages of a list have texts of that name, too, and are not meant. */
function errorOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { error, success, message } = value as { error?: unknown; success?: unknown; message?: unknown };
  if (typeof error === "string") return error;
  return success === false ? (typeof message === "string" ? message : "It did not succeed.") : null;
}

/** Asks who we are; with authentication on and no good token, a token is asked for. */
export async function identify(): Promise<void> {
  const who = await call<Account>("/api/v1/whoami");
  account.set(who);
  tokenWanted.set(null);
}

/** A query string of what is neither null nor empty, with its question mark. */
export function query(parameters: Record<string, string | number | boolean | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** A name as a part of a path. */
export const part = encodeURIComponent;
