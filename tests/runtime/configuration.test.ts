import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configurationDocument } from "../../server/config-document.ts";
import { VARIABLES } from "../../server/config-variables.ts";

const ROOT = join(import.meta.dirname, "..", "..");

test("docs/configuration.md is what `bun run docs:config` writes", () => {
  expect(readFileSync(join(ROOT, "docs/configuration.md"), "utf8")).toBe(configurationDocument());
});

test("docs/configuration.md names every variable", () => {
  const text = configurationDocument();
  for (const name of Object.keys(VARIABLES)) expect(text).toContain(`| \`${name}\` |`);
});
