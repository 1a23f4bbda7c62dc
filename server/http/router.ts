/**
 * Registers routes with Hono in the house's own shape: a handler gets an {@link Exchange} and returns a response.
 *
 * @module
 */
import type { Hono } from "hono";
import { Denied } from "./auth/denied.ts";
import type { Admission } from "./auth/guard.ts";
import type { Role } from "./auth/role.ts";
import { type Connection, Exchange, type Services } from "./exchange.ts";
import { deniedResponse, errorResponse } from "./respond.ts";

/** Answers a request. */
export type Handler = (exchange: Exchange) => Response | Promise<Response>;

/** Environment of the Hono application: what the listener passes beside the request. */
export interface AppEnv {
  Bindings: Connection | undefined;
  /** Set on routes that speak CBOR both ways: what goes wrong there is said in CBOR too. */
  Variables: { binary?: true };
}

/** A registered route. */
export interface KnownRoute {
  readonly method: string;
  /** As registered, with its parameters. */
  readonly path: string;
  /** Least role it is open to. */
  readonly role: Role;
}

/** Registers handlers and remembers which methods a path knows. */
export class Routes {
  readonly #app: Hono<AppEnv>;
  readonly #services: Services;
  readonly #known: (KnownRoute & { pattern: RegExp; head: boolean })[] = [];

  constructor(app: Hono<AppEnv>, services: Services) {
    this.#app = app;
    this.#services = services;
  }

  get(path: string, role: Role, handler: Handler): void {
    this.#add("GET", path, role, handler, false);
  }

  /** Registers what anybody may ask by GET, and load balancers by HEAD. */
  probe(path: string, handler: Handler): void {
    this.#add("GET", path, "public", handler, false, true);
  }

  post(path: string, role: Role, handler: Handler): void {
    this.#add("POST", path, role, handler, false);
  }

  delete(path: string, role: Role, handler: Handler): void {
    this.#add("DELETE", path, role, handler, false);
  }

  /** Registers a hot route twice: as it is, and under a path ending in `/binary` that speaks CBOR both ways. */
  hot(method: "GET" | "POST", path: string, role: Role, handler: Handler): void {
    this.#add(method, path, role, handler, false);
    this.#add(method, `${path}/binary`, role, handler, true);
  }

  /** Every route, in the order of registration. */
  get known(): readonly KnownRoute[] {
    return this.#known;
  }

  /** @returns The methods a path knows; empty for an unknown path. */
  methodsOf(path: string): string[] {
    return this.#known
      .filter(({ pattern }) => pattern.test(path))
      .flatMap(({ method, head }) => (head ? [method, "HEAD"] : [method]));
  }

  #add(method: string, path: string, role: Role, handler: Handler, binary: boolean, head = false): void {
    const segments: Record<string, number> = {};
    for (const [index, segment] of path.slice(1).split("/").entries()) {
      if (segment.startsWith(":")) segments[segment.slice(1)] = index;
    }
    this.#known.push({
      method,
      path,
      role,
      pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`),
      head,
    });
    const services = this.#services;
    const guard = role === "public" ? null : services.guard;
    this.#app.on(method, path, (context): Response | Promise<Response> => {
      const request = context.req.raw;
      // Hono answers HEAD by the GET route: a HEAD on a pop would take messages that nobody receives.
      if (request.method !== method && !(head && request.method === "HEAD"))
        return errorResponse(405, `${request.method} is not possible here`, "json", { allow: method });
      if (binary) context.set("binary", true);
      if (guard === null) return handler(new Exchange(request, services, context.env, segments, binary, null));
      const answer = (admission: Admission): Response | Promise<Response> => {
        if (!(admission instanceof Denied))
          return handler(new Exchange(request, services, context.env, segments, binary, admission.subject));
        const { status, message } = admission;
        services.log("debug", "request_denied", { status, reason: message, method, path: context.req.path });
        return deniedResponse(admission, request, binary);
      };
      const admission = guard.admit(request, context.req.path, role);
      return admission instanceof Promise ? admission.then(answer) : answer(admission);
    });
  }
}
