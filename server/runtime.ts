/**
 * What differs between the runtimes the server runs on, Bun and Deno, and nothing else: listening, WebSockets, signals
 * and what a binary carries.
 *
 * @module
 */
import process from "node:process";
import { FRAME_BYTES_MAX, SOCKET_IDLE_S, type Socket, type SocketHandler } from "./http/dashboard/socket.ts";
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

const SLASH = 47;
/** Close code of RFC 6455, section 7.4.1: going away. */
const GOING_AWAY = 1001;
/** Beyond this many bytes not taken by a client nothing more is sent to it: the application closes such a socket long before. */
const SOCKET_BACKLOG_BYTES_MAX = 64 * 1024 * 1024;

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
  upgradeWebSocket(request: Request, options: { idleTimeout: number }): { socket: WebSocket; response: Response };
}

/** What Bun keeps beside a socket. */
interface SocketData {
  readonly handler: SocketHandler;
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
  const sockets = new Set<Bun.ServerWebSocket<SocketData>>();
  const server = Bun.serve<SocketData>({
    hostname: host,
    port,
    idleTimeout: IDLE_TIMEOUT_S,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(tls !== null && { tls }),
    fetch: (request) => (request.url.charCodeAt(0) === SLASH ? answerWithoutHost(request) : fetch(request, connection)),
    websocket: {
      maxPayloadLength: FRAME_BYTES_MAX,
      idleTimeout: SOCKET_IDLE_S,
      backpressureLimit: SOCKET_BACKLOG_BYTES_MAX,
      perMessageDeflate: false,
      open(socket) {
        sockets.add(socket);
        socket.data.handler.opened(bunSocket(socket));
      },
      message(socket, message) {
        if (typeof message === "string") socket.data.handler.received(message);
      },
      close(socket) {
        sockets.delete(socket);
        socket.data.handler.closed();
      },
    },
  });
  const connection: Connection = {
    keepOpen: (request, silenceMs) => {
      if (silenceMs > SILENCE_MS_MAX) server.timeout(request, 0);
    },
    addressOf: (request) => server.requestIP(request)?.address ?? null,
    // Bun sends the answer itself, and ignores this one.
    openSocket: (request, handler) =>
      server.upgrade(request, { data: { handler } }) ? new Response(null, { status: 204 }) : null,
  };
  // HTTP/1.0, as load balancers' checks speak it: without a Host Bun gives a path where everybody expects an address.
  const answerWithoutHost = (request: Request) =>
    fetch(new Request(`http://localhost${request.url}`, request), {
      keepOpen: (_, silenceMs) => connection.keepOpen(request, silenceMs),
      addressOf: () => connection.addressOf(request),
      openSocket: () => null,
    });
  return {
    url: urlOf(host, server.port!, tls),
    port: server.port!,
    stop: async () => {
      for (const socket of sockets) socket.close(GOING_AWAY, "The server is stopping");
      await server.stop(false);
    },
    close: async () => await server.stop(true),
  };
}

function bunSocket(socket: Bun.ServerWebSocket<SocketData>): Socket {
  return {
    send: (text) => void socket.send(text),
    get bufferedBytes() {
      return socket.getBufferedAmount();
    },
    close: (code, reason) => socket.close(code, reason),
  };
}

function denoSocket(
  deno: DenoNamespace,
  request: Request,
  handler: SocketHandler,
  sockets: Set<WebSocket>,
): Response | null {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return null;
  const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout: SOCKET_IDLE_S });
  socket.onopen = () => {
    sockets.add(socket);
    handler.opened({
      send: (text) => socket.readyState === WebSocket.OPEN && socket.send(text),
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      close: (code, reason) => socket.close(code, reason),
    });
  };
  socket.onmessage = (event) => {
    if (typeof event.data === "string") handler.received(event.data);
  };
  // A broken connection is closed, too; that is when it counts.
  socket.onerror = (event) => event.preventDefault();
  socket.onclose = () => {
    sockets.delete(socket);
    handler.closed();
  };
  return response;
}

function listenDeno(deno: DenoNamespace, host: string, port: number, fetch: Fetch, tls: Tls | null): Listener {
  const abort = new AbortController();
  const sockets = new Set<WebSocket>();
  const server = deno.serve(
    { hostname: host, port, onListen: () => {}, signal: abort.signal, ...tls },
    (request, info) =>
      fetch(request, {
        keepOpen: () => {},
        addressOf: () => info.remoteAddr.hostname ?? null,
        openSocket: (asked, handler) => denoSocket(deno, asked, handler, sockets),
      }),
  );
  let open = true;
  return {
    url: urlOf(host, server.addr.port, tls),
    port: server.addr.port,
    stop: async () => {
      for (const socket of sockets) socket.close(GOING_AWAY, "The server is stopping");
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

/**
 * Files that were built into the binary.
 *
 * @returns Paths that `node:fs` can read, by name with what the bundler put into it; none unless this is a single binary.
 */
export function embeddedFiles(): string[] {
  if (!("Bun" in globalThis)) return [];
  return Bun.embeddedFiles.map((file) => `/$bunfs/root/${(file as File).name}`);
}

/** Calls back for each SIGINT and SIGTERM, until the process ends. */
export function onStopSignal(listener: (signal: string) => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => listener(signal));
}
