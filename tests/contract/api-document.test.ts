/**
 * The OpenAPI document: served, sound, and complete. That answers are what it says is held by `tests/support/documented.ts`.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { Compile } from "typebox/schema";
import packageJson from "../../package.json" with { type: "json" };
import { buildDocument, type Json, type JsonObject } from "../../schema/wire/api/document.ts";
import { MIGRATION_ROUTES } from "../../schema/wire/api/internal.ts";
import { roleOf, TAGS } from "../../schema/wire/api/operation.ts";
import { OPERATIONS } from "../../schema/wire/api/operations.ts";
import { registerRoutes } from "../../server/http/app.ts";
import type { Services } from "../../server/http/exchange.ts";
import { type AppEnv, Routes } from "../../server/http/router.ts";
import { routesDocument } from "../../server/routes-document.ts";
import { useSharedServer } from "../support/shared.ts";

const api = useSharedServer();
const document = buildDocument(packageJson.version);
const paths = document.paths as Record<string, Record<string, JsonObject>>;

/** Every registered route with its role; registering looks at no service but the guard. */
function registered(): Map<string, string> {
  const routes = new Routes(new Hono<AppEnv>(), { guard: null } as unknown as Services);
  registerRoutes(routes);
  return new Map(routes.known.map(({ method, path, role }) => [`${method} ${path}`, role]));
}

/** Every documented route with its role, as they are registered. */
function documented(): Map<string, string> {
  return new Map(
    OPERATIONS.flatMap((operation) =>
      ["", ...(operation.hot ? ["/binary"] : [])].map((suffix): [string, string] => [
        `${operation.method} ${operation.path}${suffix}`,
        roleOf(operation),
      ]),
    ),
  );
}

/** Every `$ref` of a value. */
function references(value: Json): string[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(references);
  return [...(typeof value.$ref === "string" ? [value.$ref] : []), ...Object.values(value).flatMap(references)];
}

describe("the OpenAPI document", () => {
  test("describes every registered route and no other", () => {
    const [there, described] = [[...registered().keys()].sort(), [...documented().keys()].sort()];
    expect(there.length).toBeGreaterThan(40);
    expect({ undescribed: there.filter((route) => !described.includes(route)) }).toEqual({ undescribed: [] });
    expect({ unregistered: described.filter((route) => !there.includes(route)) }).toEqual({ unregistered: [] });
  });

  test("names the role that each route really asks for", () => {
    const roles = registered();
    const wrong = [...documented()].filter(([route, role]) => roles.has(route) && roles.get(route) !== role);
    expect(wrong).toEqual([]);
  });

  test("is OpenAPI 3.1 with ids, tags, parameters and references that hold", () => {
    expect(document.openapi).toBe("3.1.0");
    const known = references(document);
    expect(known.length).toBeGreaterThan(100);
    for (const reference of known) {
      const target = reference
        .slice(2)
        .split("/")
        .reduce((at: Json | undefined, key) => (at as JsonObject)?.[key], document);
      expect(target, reference).toBeDefined();
    }
    for (const [path, methods] of Object.entries(paths)) {
      for (const operation of Object.values(methods)) {
        const parameters = (operation.parameters ?? []) as { name: string; in: string; required: boolean }[];
        const inPath = parameters
          .filter((parameter) => parameter.in === "path")
          .map((parameter) => `{${parameter.name}}`);
        expect(inPath.sort()).toEqual((path.match(/\{\w+\}/g) ?? []).sort());
        expect(Object.keys(TAGS)).toContain((operation.tags as string[])[0]!);
        expect(operation.summary).toBeString();
        expect(Object.keys(operation.responses as JsonObject).length).toBeGreaterThan(0);
      }
    }
  });

  test("holds only schemas that compile", () => {
    const { schemas } = document.components as { schemas: JsonObject };
    for (const [name, schema] of Object.entries(schemas)) {
      expect(() => Compile({ ...(schema as JsonObject), components: { schemas } }).Check({}), name).not.toThrow();
    }
  });

  test("has its routes listed in docs/routes.md, as `bun run docs:routes` writes it", () => {
    const file = join(import.meta.dirname, "..", "..", "docs", "routes.md");
    expect(readFileSync(file, "utf8")).toBe(routesDocument());
  });

  test("is what /openapi.json answers, under this version", async () => {
    const answer = await api.http.get("/openapi.json");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    expect(answer.json).toEqual(document);
  });
});

describe("the browsable page", () => {
  test("loads nothing from elsewhere, and forbids it", async () => {
    const page = await api.http.get("/docs");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const policy = page.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(page.text).not.toMatch(/https?:|\/\//);
  });

  test("names files that are there, may be kept for ever, and are of the right type", async () => {
    const page = await api.http.get("/docs");
    const files = [...page.text.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map((match) => match[1]!);
    expect(files.map((file) => file.split("?")[0])).toEqual([
      "docs/swagger-ui.css",
      "docs/swagger-ui-bundle.js",
      "docs/start.js",
    ]);
    for (const file of files) {
      const answer = await api.http.get(`/${file}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe(
        file.includes(".css?") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8",
      );
      expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect((await api.http.get(`/${files[1]}`)).text).toContain("SwaggerUIBundle");
  });

  test.each(["package.json", "..%2Fopenapi.json", "constructor", "swagger-ui-bundle.js.map"])(
    "has no file %s",
    async (file) => {
      expect((await api.http.get(`/docs/${file}`)).status).toBe(404);
    },
  );
});

describe("migration routes", () => {
  test.each(MIGRATION_ROUTES.map(([method, name]) => [method, name] as const))(
    "%s %s answers 410 and points to the command line",
    async (method, name) => {
      const call = method === "POST" ? { json: { host: "h", database: "d", user: "u", password: "p" } } : {};
      const answer = await api.http.call(method, `/api/v1/migration/${name}`, call);
      expect(answer.status).toBe(410);
      expect(answer.json.error).toMatch(/pg_dump and pg_restore/);
    },
  );
});
