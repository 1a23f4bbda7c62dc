/**
 * The OpenAPI 3.1 document, made from the table of routes.
 *
 * @module
 */
import {
  type ApiAnswer,
  type ApiOperation,
  ERROR_STATUSES,
  errorStatusesOf,
  pathParametersOf,
  roleOf,
  TAGS,
} from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { ErrorAnswer } from "./shapes.ts";

/** A value of the document. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
/** An object of the document. */
export type JsonObject = Record<string, Json>;

const INTRODUCTION =
  "A partitioned message queue over HTTP. Hot routes speak JSON and CBOR: by `Content-Type` and `Accept: application/cbor`, " +
  "and both ways under their path followed by `/binary`; so do the others, by their headers, except those about the server itself. Parameters and fields that are not listed are ignored. Names are at " +
  'most 255 characters. Errors are `{"error": text}`; a read of something that is not there is 200 with `error`.';

/** Gathers the schemas that have a title, so that the document names each once. */
class Components {
  readonly schemas: JsonObject = {};

  /**
   * A schema as the document shows it: what has a title becomes a reference.
   *
   * @throws Error when two different schemas have one title.
   */
  refer(schema: unknown): Json {
    const plain = JSON.parse(JSON.stringify(schema)) as Json;
    return this.#walk(plain);
  }

  #walk(value: Json): Json {
    if (Array.isArray(value)) return value.map((element) => this.#walk(element));
    if (typeof value !== "object" || value === null) return value;
    const walked: JsonObject = {};
    for (const [key, member] of Object.entries(value)) walked[key] = this.#walk(member);
    const { title } = walked;
    if (typeof title !== "string" || !("type" in walked || "anyOf" in walked)) return walked;
    const known = this.schemas[title];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(walked)) {
      throw new Error(`two schemas are called ${title}`);
    }
    this.schemas[title] = walked;
    return { $ref: `#/components/schemas/${title}` };
  }
}

/**
 * Makes the document.
 *
 * @param version - Of this program.
 * @returns A value to be written as JSON.
 * @throws Error when the table contradicts itself: two operations of one id, two schemas of one title.
 */
export function buildDocument(version: string): JsonObject {
  const components = new Components();
  const paths: Record<string, JsonObject> = {};
  const ids = new Set<string>();
  const add = (operation: ApiOperation, binary: boolean): void => {
    const id = binary ? `${operation.id}Binary` : operation.id;
    if (ids.has(id)) throw new Error(`two operations are called ${id}`);
    ids.add(id);
    const path = openApiPath(operation.path) + (binary ? "/binary" : "");
    paths[path] ??= {};
    const method = operation.method.toLowerCase();
    if (paths[path][method] !== undefined) throw new Error(`${operation.method} ${path} is described twice`);
    paths[path][method] = operationObject(operation, id, binary, components);
  };
  for (const operation of OPERATIONS) {
    add(operation, false);
    if (operation.hot) add(operation, true);
  }
  const errors = Object.entries(ERROR_STATUSES).map(([status, description]): [string, Json] => [
    `Error${status}`,
    errorResponse(Number(status), description, components),
  ]);
  return {
    openapi: "3.1.0",
    info: {
      title: "Queen",
      version,
      description: INTRODUCTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "./" }],
    security: [{}, { bearer: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components.schemas,
      responses: Object.fromEntries(errors),
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Needed when JWT_ENABLED is true; `x-role` of an operation is the least role that may call it.",
        },
      },
    },
  };
}

/** The path as OpenAPI writes it: `{name}` for `:name`. */
export function openApiPath(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

function errorResponse(status: number, description: string, components: Components): JsonObject {
  const schema = components.refer(ErrorAnswer);
  return {
    description,
    ...(status === 503 && {
      headers: { "Retry-After": { description: "Seconds.", schema: { type: "integer", minimum: 1 } } },
    }),
    content: { "application/json": { schema }, "application/cbor": { schema } },
  };
}

function operationObject(operation: ApiOperation, id: string, binary: boolean, components: Components): JsonObject {
  const { body, tag, summary, description, query, path } = operation;
  const responses: JsonObject = {};
  for (const [status, answer] of Object.entries(operation.answers)) {
    responses[status] = answerObject(answer, operation, binary, components);
  }
  for (const status of errorStatusesOf(operation))
    responses[status] = { $ref: `#/components/responses/Error${status}` };
  const parameters = [
    ...pathParametersOf(path).map((name) => parameterObject(name, "path", { type: "string" })),
    ...Object.entries(query ?? {}).map(([name, schema]) => parameterObject(name, "query", components.refer(schema))),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary: binary ? `${summary}, in CBOR` : summary,
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: body.optional !== true,
        content: contentOf(components.refer(body.schema), operation, binary),
      },
    }),
    responses,
    "x-role": roleOf(operation),
    ...(roleOf(operation) === "public" && { security: [] }),
  };
}

/** A parameter; its description stands beside its schema, where readers of OpenAPI look for it. */
function parameterObject(name: string, where: "path" | "query", schema: Json): JsonObject {
  const { description, ...rest } = schema as JsonObject;
  return {
    name,
    in: where,
    required: where === "path",
    ...(description !== undefined && { description }),
    schema: rest,
  };
}

function contentOf(schema: Json, operation: ApiOperation, binary: boolean): JsonObject {
  if (binary) return { "application/cbor": { schema } };
  return { "application/json": { schema }, ...(operation.hot && { "application/cbor": { schema } }) };
}

function answerObject(answer: ApiAnswer, operation: ApiOperation, binary: boolean, components: Components): JsonObject {
  const content = answer.schema === undefined ? {} : contentOf(components.refer(answer.schema), operation, binary);
  for (const [type, kind] of Object.entries(binary ? {} : (answer.types ?? {}))) {
    content[type] = kind === "text" ? { schema: { type: "string" } } : {};
  }
  return { description: answer.description, ...(Object.keys(content).length > 0 && { content }) };
}
