/**
 * `bun run docs:routes`: writes `docs/routes.md` from the table of routes that the OpenAPI document is made from, so that
 * the two cannot differ. `--check` writes nothing and fails when they do.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type ApiOperation, roleOf, TAGS, type Tag } from "../schema/wire/api/operation.ts";
import { OPERATIONS } from "../schema/wire/api/operations.ts";

const FILE = join(import.meta.dirname, "..", "docs", "routes.md");

const HEAD = `# Routes

<!-- Written by \`bun run docs:routes\` from schema/wire/api. Do not edit. -->

Every route, with the least role that may call it when authentication is on. Parameters, bodies and answers are in the OpenAPI
document that every server serves: \`/openapi.json\`, and to browse at \`/docs\`. What differs from Queen 0.15 is in [api.md](api.md).
Routes marked ● are also served under their path followed by \`/binary\`, where they speak CBOR both ways.
`;

/**
 * Makes the document.
 *
 * @returns The whole text of `docs/routes.md`.
 */
export function routesDocument(): string {
  const chapters = (Object.keys(TAGS) as Tag[]).map((tag) => {
    const rows = OPERATIONS.filter((operation) => operation.tag === tag).map(rowOf);
    return `\n## ${tag}\n\n${TAGS[tag]}\n\n| Route | Role | |\n|---|---|---|\n${rows.join("")}`;
  });
  return HEAD + chapters.join("");
}

function rowOf(operation: ApiOperation): string {
  const { method, path, summary, hot } = operation;
  return `| \`${method} ${path}\`${hot ? " ●" : ""} | ${roleOf(operation)} | ${summary.replaceAll("|", "\\|")} |\n`;
}

if (import.meta.main) {
  const text = routesDocument();
  if (!process.argv.includes("--check")) writeFileSync(FILE, text);
  else if (readFileSync(FILE, "utf8") !== text) {
    process.stderr.write("docs/routes.md differs from schema/wire/api: run `bun run docs:routes`\n");
    process.exit(1);
  }
}
