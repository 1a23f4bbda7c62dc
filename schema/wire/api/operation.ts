/**
 * How a route of the API is described: the table entry from which the OpenAPI document is made, and against which the
 * contract tests hold every answer they see.
 *
 * @module
 */
import type { TSchema } from "typebox";

/** Chapters of the document, in its order. */
export const TAGS = {
  Queues: "Configure, delete and clear queues.",
  Produce: "Append messages.",
  Consume: "Lease messages.",
  Acknowledge: "Say what became of messages, and keep leases alive.",
  Transactions: "Pushes and acknowledgements, all or nothing.",
  Messages: "Single messages.",
  "Dead letters": "Messages that were given up.",
  Traces: "What clients note about messages.",
  "Consumer groups": "Cursors and subscriptions.",
  Resources: "What there is, with counts.",
  Status: "What a dashboard shows.",
  Analytics: "Series of samples.",
  Streams: "Stateful processing, exactly once.",
  System: "Health, metrics, maintenance.",
  Internal: "Between instances, and what is not offered.",
  "October 2025": "The dialect of October 2025, over the same engine.",
  Dashboard: "For people, in a browser.",
  Documentation: "This document.",
} as const;

/** Name of a chapter. */
export type Tag = keyof typeof TAGS;

/** Methods that routes have. */
export type Method = "GET" | "POST" | "DELETE";

/** An answer under one status. */
export interface ApiAnswer {
  description: string;
  /** Of the JSON (and, on hot routes, CBOR) body. Absent: no body, unless `types` says otherwise. */
  schema?: TSchema;
  /** Bodies of other types: `text` or `binary`, by their Content-Type. */
  types?: Readonly<Record<string, "text" | "binary">>;
}

/** A body that is read. */
export interface ApiBody {
  schema: TSchema;
  /** Nothing, and `[]`, count as `{}`. */
  optional?: boolean;
}

/** One route. */
export interface ApiOperation {
  method: Method;
  /** As it is registered, parameters as `:name`. */
  path: string;
  /** Unique; what a generated client calls the method. */
  id: string;
  tag: Tag;
  summary: string;
  description?: string;
  /** Query parameters by name. Those with an `enum` or bounds are still read leniently where the description says so. */
  query?: Readonly<Record<string, TSchema>>;
  body?: ApiBody;
  /** By status. Errors that every route may answer are added by {@link errorStatusesOf}. */
  answers: Readonly<Record<number, ApiAnswer>>;
  /** Also served under the path followed by `/binary`, CBOR both ways, and by CBOR in the headers. */
  hot?: boolean;
  /** Least role it is open to when authentication is on; see {@link roleOf} for what is meant without one. */
  role?: ApiRole;
}

/** Roles, each including those before it; `public` routes never look at a token. */
export type ApiRole = "public" | "read-only" | "read-write" | "admin";

/** The least role an operation is open to: what it says, or else reading for a GET that takes no messages, and writing. */
export function roleOf(operation: ApiOperation): ApiRole {
  return operation.role ?? (operation.method === "GET" && !operation.hot ? "read-only" : "read-write");
}

/** Parameters in a path, in order. */
export function pathParametersOf(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map((match) => match[1]!);
}

/** What an error status means, wherever it is answered. */
export const ERROR_STATUSES: Readonly<Record<number, string>> = {
  400: "The request is not valid; the text names the field. Nothing was done.",
  401: "With authentication on: no token, or not a good one.",
  403: "With authentication on: the token's role does not suffice.",
  404: "There is no such thing, or no such route.",
  409: "The server was interrupted, and repeating could store messages twice.",
  413: "The body is larger than `MAX_BODY_SIZE`.",
  500: "Something failed here; repeating may help.",
  503: "Busy, or the database is away: nothing was done, `Retry-After` says when to repeat.",
};

/** Statuses under which an operation may answer `{"error"}`, less those it describes itself. */
export function errorStatusesOf(operation: ApiOperation): number[] {
  const statuses = roleOf(operation) === "public" ? [500] : [401, 403, 500, 503];
  const takesInput = operation.query !== undefined || operation.path.includes(":");
  if (takesInput || operation.body !== undefined) statuses.push(400);
  if (operation.body !== undefined) statuses.push(413);
  if (operation.path.startsWith("/2025-10/")) statuses.push(404);
  return statuses.filter((status) => !(status in operation.answers)).sort((a, b) => a - b);
}
