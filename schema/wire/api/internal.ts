/**
 * What is not offered here, and this document.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation, Method } from "./operation.ts";
import { anything, ErrorAnswer } from "./shapes.ts";

/** Migration routes: not offered, with a pointer to what does the same. */
export const MIGRATION_ROUTES: readonly (readonly [Method, string])[] = [
  ["POST", "test-connection"],
  ["POST", "start"],
  ["GET", "status"],
  ["POST", "validate"],
  ["POST", "reset"],
];

/** What every migration route answers. */
export const MIGRATION_GONE =
  'Copying into a database named by a request is not offered: use pg_dump and pg_restore, then start this program on the copy (docs/operations.md, "Moving to another database")';

const migration = MIGRATION_ROUTES.map(
  ([method, name]): ApiOperation => ({
    method,
    path: `/api/v1/migration/${name}`,
    id: `migration${name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    tag: "Internal",
    summary: "Not offered: copying is for the command line",
    role: "admin",
    answers: { 410: { description: "Always. The text says what to do instead.", schema: ErrorAnswer } },
  }),
);

/** Routes that only say something about the API. */
export const internalOperations: readonly ApiOperation[] = [
  ...migration,
  {
    method: "GET",
    path: "/openapi.json",
    id: "openapi",
    tag: "Documentation",
    summary: "This document",
    role: "public",
    answers: {
      200: { description: "OpenAPI 3.1.", schema: Type.Object({ openapi: Type.String(), paths: anything() }) },
    },
  },
  {
    method: "GET",
    path: "/docs",
    id: "docs",
    tag: "Documentation",
    summary: "This document, to browse",
    role: "public",
    answers: { 200: { description: "A page.", types: { "text/html": "text" } } },
  },
  {
    method: "GET",
    path: "/docs/:file",
    id: "docsFile",
    tag: "Documentation",
    summary: "A file of the page",
    role: "public",
    answers: {
      200: { description: "Style or script.", types: { "text/css": "text", "text/javascript": "text" } },
      404: { description: "There is no such file.", schema: ErrorAnswer },
    },
  },
];
