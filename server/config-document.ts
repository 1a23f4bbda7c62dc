/**
 * `bun run docs:config`: writes `docs/configuration.md` from the table of environment variables, so that the two cannot
 * differ. `--check` writes nothing and fails when they do.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { VARIABLES, type Variable } from "./config-variables.ts";

const FILE = join(import.meta.dirname, "..", "docs", "configuration.md");

const HEAD = `# Configuration

<!-- Written by \`bun run docs:config\` from server/config-variables.ts. Do not edit. -->

The server is configured by environment variables alone; \`--port\` and \`--host\` win over \`PORT\` and \`HOST\`. An empty
variable counts as unset. A value that cannot be used stops the start, with one sentence for each problem. Booleans are
\`true\`/\`1\` or \`false\`/\`0\`. Variables of earlier Queen servers that have no meaning here are ignored.

Which PostgreSQL is used: that of \`DATABASE_URL\`; without it that of \`PG_HOST\` and the other \`PG_*\`; without that an
embedded one, whose data is under \`QUEEN_DATA_DIR\`.

| Variable | Default | Unit | Range | Meaning |
|---|---|---|---|---|
`;

/**
 * Makes the document.
 *
 * @returns The whole text of `docs/configuration.md`.
 */
export function configurationDocument(): string {
  const rows = Object.entries<Variable>(VARIABLES).map(([name, variable]) => {
    const cells = [`\`${name}\``, defaultOf(variable), variable.unit ?? "", rangeOf(variable), variable.description];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  });
  return HEAD + rows.join("");
}

function defaultOf({ default: value, defaultText }: Variable): string {
  return defaultText ?? String(value);
}

function rangeOf({ type, min, max, choices }: Variable): string {
  switch (type) {
    case "boolean":
      return "true, false";
    case "choice":
      return (choices ?? []).join(", ");
    case "integer":
      return `${min ?? 0} to ${max ?? Number.MAX_SAFE_INTEGER}`;
    case "keys":
      return max === 1 ? "64 hexadecimal digits" : `1 to ${max} keys`;
    case "text":
      return "text";
  }
}

if (import.meta.main) {
  const text = configurationDocument();
  if (!process.argv.includes("--check")) writeFileSync(FILE, text);
  else if (readFileSync(FILE, "utf8") !== text) {
    process.stderr.write("docs/configuration.md differs from server/config-variables.ts: run `bun run docs:config`\n");
    process.exit(1);
  }
}
