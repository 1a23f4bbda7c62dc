/**
 * Holds the answers that tests see against the OpenAPI document: what is documented stays true.
 *
 * @module
 */
import { Compile, type Validator } from "typebox/schema";
import { buildDocument, type Json, type JsonObject } from "../../schema/wire/api/document.ts";
import type { Answer } from "./http.ts";

/** Mismatches named in an error; one wrong field usually causes several. */
const MISMATCHES_MAX = 5;

interface DocumentedRoute {
  method: string;
  path: string;
  segments: readonly string[];
  responses: JsonObject;
}

const document = buildDocument("0.0.0-test");
const components = document.components as JsonObject;
const byShape = new Map<string, DocumentedRoute[]>();
const validators = new Map<string, Validator>();

for (const [path, methods] of Object.entries(document.paths as Record<string, Record<string, JsonObject>>)) {
  for (const [method, operation] of Object.entries(methods)) {
    const segments = path.slice(1).split("/");
    const shape = `${method.toUpperCase()} ${segments.length}`;
    const route = { method: method.toUpperCase(), path, segments, responses: operation.responses as JsonObject };
    byShape.set(shape, [...(byShape.get(shape) ?? []), route]);
  }
}
// A fixed segment wins over a parameter, from left to right, as in the server.
for (const routes of byShape.values()) {
  routes.sort((a, b) => (rankOf(a) < rankOf(b) ? -1 : 1));
}

function rankOf(route: DocumentedRoute): string {
  return route.segments.map((segment) => (segment.startsWith("{") ? "1" : "0")).join("");
}

function routeOf(method: string, path: string): DocumentedRoute | undefined {
  const segments = path.split(/[?#]/, 1)[0]!.slice(1).split("/");
  return byShape
    .get(`${method} ${segments.length}`)
    ?.find((route) =>
      route.segments.every((segment, at) => (segment.startsWith("{") ? segments[at] !== "" : segment === segments[at])),
    );
}

function resolve(value: Json | undefined): JsonObject | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if (typeof value.$ref !== "string") return value;
  return value.$ref
    .slice(2)
    .split("/")
    .reduce((at: JsonObject, key) => at[key] as JsonObject, document);
}

/** What is documented of a type; what is said of JSON holds for CBOR, which the introduction allows for every route. */
function mediaOf(content: Record<string, JsonObject>, type: string): JsonObject | undefined {
  return content[type] ?? (type === "application/cbor" ? content["application/json"] : undefined);
}

/**
 * Compares an answer with what the document says of its route. Routes that are not there at all are nobody's business
 * here: another test holds that every registered route is documented.
 *
 * @throws Error naming the place of each mismatch.
 */
export function checkDocumented(method: string, path: string, answer: Answer): void {
  const route = routeOf(method, path);
  if (route === undefined) return;
  const where = `${method} ${path} (${route.path})`;
  const response = resolve(route.responses[String(answer.status)]);
  if (response === undefined) throw new Error(`${where} answered ${answer.status}, which is not documented`);
  const content = response.content as Record<string, JsonObject> | undefined;
  if (content === undefined) {
    if (answer.bytes.length > 0) throw new Error(`${where} answered ${answer.status} with a body; none is documented`);
    return;
  }
  const type = (answer.headers.get("content-type") ?? "").split(";", 1)[0]!;
  const media = mediaOf(content, type);
  if (media === undefined) throw new Error(`${where} answered ${answer.status} as '${type}', which is not documented`);
  if (!/^application\/(json|cbor)$/.test(type) || media.schema === undefined) return;
  const key = `${route.method} ${route.path} ${answer.status} ${type}`;
  let validator = validators.get(key);
  if (validator === undefined) {
    validator = Compile({ ...(media.schema as JsonObject), components });
    validators.set(key, validator);
  }
  if (validator.Check(answer.json)) return;
  const [, errors] = validator.Errors(answer.json);
  const mismatches = errors.slice(0, MISMATCHES_MAX).map((error) => `  ${error.instancePath || "/"} ${error.message}`);
  throw new Error(
    `${where} answered ${answer.status} with what the document does not allow:\n${mismatches.join("\n")}\n${answer.text.slice(0, 2_000)}`,
  );
}
