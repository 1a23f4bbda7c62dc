/**
 * What differs between the runtimes the server runs on, Bun and Deno, and nothing else: listening and signals.
 *
 * @module
 */
import process from "node:process";
import type { Connection } from "./http/exchange.ts";

/** Answers a request; `connection` belongs to the listener it came from. */
export type Fetch = (request: Request, connection: Connection) => Response | Promise<Response>;

/** A listener. */
export interface Listener {
  /** As people type it: an unspecified host is shown as localhost. */
  readonly url: string;
  readonly port: number;
  /**
   * Stops accepting connections.
   *
   * @returns Once every request in flight is answered.
   */
  stop(): Promise<void>;
  /** Closes every connection, answered or not. */
  close(): Promise<void>;
}

/** Seconds of silence after which a connection is closed: the most Bun allows. */
const IDLE_TIMEOUT_S = 255;
/** Longer silences need an exemption, which leaves the connection without any limit: Bun has no way to take it back. */
const SILENCE_MS_MAX = 225_000;

/** Certificate (with those it is signed by) and private key, as PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

interface DenoServer {
  addr: { hostname: string; port: number };
  shutdown(): Promise<void>;
}
interface DenoNamespace {
  serve(
    options: {
      hostname: string;
      port: number;
      onListen: () => void;
      signal: AbortSignal;
      cert?: string;
      key?: string;
    },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>,
  ): DenoServer;
}

/**
 * Starts listening for HTTP, or for HTTPS.
 *
 * @param port - 0 picks a free one.
 * @param tls - Null for plain HTTP.
 * @returns The listener, accepting connections.
 * @throws Error of the system (its `code` is `EADDRINUSE` when the port is taken).
 */
export function listen(host: string, port: number, fetch: Fetch, tls: Tls | null = null): Listener {
  if ("Deno" in globalThis)
    return listenDeno((globalThis as unknown as { Deno: DenoNamespace }).Deno, host, port, fetch, tls);
  return listenBun(host, port, fetch, tls);
}

function listenBun(host: string, port: number, fetch: Fetch, tls: Tls | null): Listener {
  // The application bounds bodies itself: it knows how to say so.
  const server = Bun.serve({
    hostname: host,
    port,
    idleTimeout: IDLE_TIMEOUT_S,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(tls !== null && { tls }),
    fetch: (request) => fetch(request, connection),
  });
  const connection: Connection = {
    keepOpen: (request, silenceMs) => {
      if (silenceMs > SILENCE_MS_MAX) server.timeout(request, 0);
    },
    addressOf: (request) => server.requestIP(request)?.address ?? null,
  };
  return {
    url: urlOf(host, server.port!, tls),
    port: server.port!,
    stop: async () => await server.stop(false),
    close: async () => await server.stop(true),
  };
}

function listenDeno(deno: DenoNamespace, host: string, port: number, fetch: Fetch, tls: Tls | null): Listener {
  const abort = new AbortController();
  const server = deno.serve(
    { hostname: host, port, onListen: () => {}, signal: abort.signal, ...tls },
    (request, info) => fetch(request, { keepOpen: () => {}, addressOf: () => info.remoteAddr.hostname ?? null }),
  );
  let open = true;
  return {
    url: urlOf(host, server.addr.port, tls),
    port: server.addr.port,
    stop: async () => {
      await server.shutdown();
      open = false;
    },
    // Deno throws when a server that is shut down already is aborted.
    close: async () => {
      if (open) abort.abort();
    },
  };
}

function urlOf(host: string, port: number, tls: Tls | null): string {
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `${tls === null ? "http" : "https"}://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}

/** Calls back for each SIGINT and SIGTERM, until the process ends. */
export function onStopSignal(listener: (signal: string) => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => listener(signal));
}
