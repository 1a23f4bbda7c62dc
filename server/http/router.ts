/**
 * Registers routes with Hono in the house's own shape: a handler gets an {@link Exchange} and returns a response.
 *
 * @module
 */
import type { Hono } from "hono";
import { type Connection, Exchange, type Services } from "./exchange.ts";
import { errorResponse } from "./respond.ts";

/** Answers a request. */
export type Handler = (exchange: Exchange) => Response | Promise<Response>;

/** Environment of the Hono application: what the listener passes beside the request. */
export interface AppEnv {
  Bindings: Connection | undefined;
}

/** Registers handlers and remembers which methods a path knows. */
export class Routes {
  readonly #app: Hono<AppEnv>;
  readonly #services: Services;
  readonly #known: { pattern: RegExp; method: string }[] = [];

  constructor(app: Hono<AppEnv>, services: Services) {
    this.#app = app;
    this.#services = services;
  }

  get(path: string, handler: Handler): void {
    this.#add("GET", path, handler, false);
  }

  post(path: string, handler: Handler): void {
    this.#add("POST", path, handler, false);
  }

  delete(path: string, handler: Handler): void {
    this.#add("DELETE", path, handler, false);
  }

  /** Registers a hot route twice: as it is, and under a path ending in `/binary` that speaks CBOR both ways. */
  hot(method: "GET" | "POST", path: string, handler: Handler): void {
    this.#add(method, path, handler, false);
    this.#add(method, `${path}/binary`, handler, true);
  }

  /** @returns The methods a path knows; empty for an unknown path. */
  methodsOf(path: string): string[] {
    return this.#known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  }

  #add(method: string, path: string, handler: Handler, binary: boolean): void {
    const segments: Record<string, number> = {};
    for (const [index, segment] of path.slice(1).split("/").entries()) {
      if (segment.startsWith(":")) segments[segment.slice(1)] = index;
    }
    this.#known.push({ method, pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`) });
    const services = this.#services;
    this.#app.on(method, path, (context) => {
      const request = context.req.raw;
      // Hono answers HEAD by the GET route: a HEAD on a pop would take messages that nobody receives.
      if (request.method !== method)
        return errorResponse(405, `${request.method} is not possible here`, "json", { allow: method });
      return handler(new Exchange(request, services, context.env, segments, binary));
    });
  }
}
