/**
 * Registers routes with Hono in the house's own shape: a handler gets an {@link Exchange} and returns a response.
 *
 * @module
 */
import type { Hono } from "hono";
import { Denied } from "./auth/denied.ts";
import type { Admission } from "./auth/guard.ts";
import { defaultRole, type Role } from "./auth/role.ts";
import { type Connection, Exchange, type Services } from "./exchange.ts";
import { deniedResponse, errorResponse } from "./respond.ts";

/** Answers a request. */
export type Handler = (exchange: Exchange) => Response | Promise<Response>;

/** Least role of a route, and its handler; without a role the route gets {@link defaultRole}. */
type RoleAndHandler = [role: Role, handler: Handler] | [handler: Handler, role?: Role];

/** Environment of the Hono application: what the listener passes beside the request. */
export interface AppEnv {
  Bindings: Connection | undefined;
}

/** A registered route. */
export interface KnownRoute {
  readonly method: string;
  /** As registered, with its parameters. */
  readonly path: string;
  /** Least role it is open to; null when it was registered without one, and {@link defaultRole} holds. */
  readonly role: Role | null;
}

/** Registers handlers and remembers which methods a path knows. */
export class Routes {
  readonly #app: Hono<AppEnv>;
  readonly #services: Services;
  readonly #known: (KnownRoute & { pattern: RegExp })[] = [];

  constructor(app: Hono<AppEnv>, services: Services) {
    this.#app = app;
    this.#services = services;
  }

  get(path: string, ...route: RoleAndHandler): void {
    this.#add("GET", path, ...split(route), false);
  }

  post(path: string, ...route: RoleAndHandler): void {
    this.#add("POST", path, ...split(route), false);
  }

  delete(path: string, ...route: RoleAndHandler): void {
    this.#add("DELETE", path, ...split(route), false);
  }

  /** Registers a hot route twice: as it is, and under a path ending in `/binary` that speaks CBOR both ways. */
  hot(method: "GET" | "POST", path: string, ...route: RoleAndHandler): void {
    this.#add(method, path, ...split(route), false);
    this.#add(method, `${path}/binary`, ...split(route), true);
  }

  /** Every route, in the order of registration. */
  get known(): readonly KnownRoute[] {
    return this.#known;
  }

  /** @returns The methods a path knows; empty for an unknown path. */
  methodsOf(path: string): string[] {
    return this.#known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  }

  #add(method: string, path: string, role: Role | null, handler: Handler, binary: boolean): void {
    const segments: Record<string, number> = {};
    for (const [index, segment] of path.slice(1).split("/").entries()) {
      if (segment.startsWith(":")) segments[segment.slice(1)] = index;
    }
    this.#known.push({
      method,
      path,
      role,
      pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`),
    });
    const services = this.#services;
    const least = role ?? defaultRole(method);
    const guard = least === "public" ? null : services.guard;
    this.#app.on(method, path, (context): Response | Promise<Response> => {
      const request = context.req.raw;
      // Hono answers HEAD by the GET route: a HEAD on a pop would take messages that nobody receives.
      if (request.method !== method)
        return errorResponse(405, `${request.method} is not possible here`, "json", { allow: method });
      if (guard === null) return handler(new Exchange(request, services, context.env, segments, binary, null));
      const answer = (admission: Admission): Response | Promise<Response> =>
        admission instanceof Denied
          ? deniedResponse(admission, request)
          : handler(new Exchange(request, services, context.env, segments, binary, admission.subject));
      const admission = guard.admit(request, context.req.path, least);
      return admission instanceof Promise ? admission.then(answer) : answer(admission);
    });
  }
}

function split([first, second]: RoleAndHandler): [role: Role | null, handler: Handler] {
  return typeof first === "string" ? [first, second as Handler] : [(second as Role | undefined) ?? null, first];
}
