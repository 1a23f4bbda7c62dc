/**
 * The documents say nothing that was not tried: every command and program in them runs here, in order, against a server,
 * or names the test that runs it, or says why it cannot be run.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { OPTION_NAMES, QueueOptionsBody } from "../../schema/wire/admin-requests.ts";
import { VARIABLES } from "../../server/config-variables.ts";
import { ROOT, temporaryFolder } from "../runtime/program.ts";
import { type Block, printsAsShown, readBlocks, runBlock, tryDocument } from "../support/document.ts";
import { sharedServer, startServer } from "../support/server.ts";

setDefaultTimeout(120_000);

/** Documents whose blocks are run by a test of their own, because they need more than a server. */
const TRIED_BY: Record<string, string> = {
  "docs/security.md": "tests/runtime/security-doc.test.ts",
};
/** Documents that show everything a server has, and so need one to themselves. */
const ON_THEIR_OWN = new Set(["docs/cli.md"]);
/** Documents whose commands are those of the repository's folder. */
const IN_REPOSITORY = new Set(["docs/examples/README.md"]);

const DOCUMENTS = [...globSync(["*.md", "docs/**/*.md"], { cwd: ROOT })].sort();
const blocks = new Map<string, Block[]>(DOCUMENTS.map((path) => [path, readBlocks(path)]));
const hasRunnable = (path: string) => blocks.get(path)!.some(({ kind }) => kind === "run");

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

test.each(DOCUMENTS.filter((path) => hasRunnable(path) && !(path in TRIED_BY)))(
  "%s: every block does what it says",
  async (path) => {
    const own = ON_THEIR_OWN.has(path) ? await startServer() : undefined;
    const { url } = own ?? (await sharedServer());
    const folder = temporaryFolder();
    folders.push(folder);
    const cwd = IN_REPOSITORY.has(path) ? ROOT : folder;
    try {
      expect(await tryDocument(path, { url, folder, cwd })).toEqual([]);
    } finally {
      await own?.stop();
    }
  },
);

test("what is not run here names a test that is there, or a reason", () => {
  for (const [path, test] of Object.entries(TRIED_BY)) {
    expect(DOCUMENTS).toContain(path);
    expect(readFileSync(join(ROOT, test), "utf8"), test).toContain(path);
  }
  const counts: Record<string, number> = {};
  const untested: string[] = [];
  for (const [path, list] of blocks) {
    for (const { kind, note, text, line } of list) {
      counts[kind] = (counts[kind] ?? 0) + 1;
      if (kind === "tested-by") expect(wordsMissing(text, note), `${path}:${line}: in ${note}`).toEqual([]);
      if (kind === "untested") untested.push(`${path}:${line}: ${note}`);
    }
  }
  // For whoever reads the log: what of the documents no test vouches for.
  console.log(`${JSON.stringify(counts)}\n${untested.join("\n")}`);
  expect(counts.run).toBeGreaterThan(0);
});

test("JSON that is shown is JSON, and no code hides in indented lines", () => {
  for (const [path, list] of blocks) {
    for (const { language, kind, text, line } of list) {
      if (language === "json" && kind === "picture") expect(() => JSON.parse(text), `${path}:${line}`).not.toThrow();
    }
    const outside = readFileSync(join(ROOT, path), "utf8").replaceAll(/^( *)```[\s\S]*?^\1```$/gm, "");
    expect(outside.match(/\n\n {4}(?! |[-*\d])\S.*/g), `${path} has an indented block`).toBeNull();
  }
});

test("files, scripts and variables that the documents name exist", () => {
  const deno: { tasks: object } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  for (const path of DOCUMENTS) {
    const text = readFileSync(join(ROOT, path), "utf8");
    for (const [, script] of text.matchAll(/\b(?:bun|npm) run ([a-z]+:[\w:]+|[a-z]+)(?=[`\s])/g))
      expect(packageJson.scripts, path).toHaveProperty([script!]);
    for (const [, task] of text.matchAll(/deno task (\w+)/g)) expect(deno.tasks, path).toHaveProperty([task!]);
    for (const [, target, anchor] of text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)(?:#([^)]*))?\)/g)) {
      const file = join(ROOT, dirname(path), target!);
      expect(existsSync(file), `${path}: ${target}`).toBe(true);
      if (anchor !== undefined) expect(headings(readFileSync(file, "utf8")), `${path}: ${target}`).toContain(anchor);
    }
    for (const [, name] of text.matchAll(/`([A-Z][A-Z]*_[A-Z_]+)[`=]/g))
      expect(isVariable(name!), `${path}: ${name}`).toBe(true);
  }
});

test("the table of options in docs/concepts.md has all of them, with their defaults", () => {
  const rows = readFileSync(join(ROOT, "docs/concepts.md"), "utf8").matchAll(/^\| `(\w+)` \| (\S+) \|/gm);
  const shown = Object.fromEntries([...rows].flatMap(([, name, value]) => (value === "|" ? [] : [[name, value]])));
  const real = OPTION_NAMES.map((name) => [
    name,
    String((QueueOptionsBody.properties[name] as { default?: unknown }).default),
  ]);
  expect(shown).toEqual(Object.fromEntries(real));
});

test("docs/routes.md has every route of 0.15, and docs/api.md names each one that 0.15 did not have", () => {
  const old = readFileSync(join(ROOT, "tests/docs/routes-of-0.15.txt"), "utf8").trim().split("\n");
  const sections = readFileSync(join(ROOT, "docs/routes.md"), "utf8").split(/^## /m);
  const routes = sections
    .filter((text) => !/^(October 2025|Documentation)\n/.test(text))
    .flatMap((text) => [...text.matchAll(/^\| `(\w+ \/[^`]*)`/gm)].map((match) => match[1]!));
  expect(old.filter((route) => !routes.includes(route))).toEqual([]);
  const api = readFileSync(join(ROOT, "docs/api.md"), "utf8");
  expect(routes.filter((route) => !old.includes(route) && !api.includes(`\`${route}\``))).toEqual([]);
});

test("pictures are SVG with a title, and no document names one that is missing", () => {
  for (const path of globSync("docs/images/*.svg", { cwd: ROOT })) {
    const text = readFileSync(join(ROOT, path), "utf8");
    expect(text, path).toMatch(/^<svg [^>]*role="img"/);
    expect(text, path).toContain("<title");
    expect(text, path).toContain("prefers-color-scheme:dark");
  }
});

/** Words of a command, without values of variables, that do not stand in the test that is said to run it. */
function wordsMissing(command: string, test: string): string[] {
  const text = readFileSync(join(ROOT, test), "utf8");
  const words = command.split(/[\s&|]+/).map((word) => word.replace(/=.*/, ""));
  // Who runs a script (npm, bun) is tried with the scripts, in tests/runtime/two-commands.test.ts.
  return words.filter((word) => word !== "npm" && word !== "bun" && !text.includes(word));
}

/** Headings as their anchors are made: lower case, words joined by dashes, no other signs. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** Names of settings; families such as `JWT_*`, and what belongs to other programs, are no settings. */
function isVariable(name: string): boolean {
  return name in VARIABLES || name.endsWith("_") || OF_OTHERS.has(name);
}
const OF_OTHERS = new Set([
  "QUEEN_URL",
  "QUEEN_TOKEN",
  "NO_COLOR",
  "WEBAPP_ROOT",
  "OLD_DATABASE_URL",
  "NEW_DATABASE_URL",
  "MIMALLOC_PURGE_DELAY",
  "MIMALLOC_PURGE_HOLES_MIN_INTERVAL",
]);

test("only harmless commands are run, whatever a document says", async () => {
  const { url } = await sharedServer();
  const folder = temporaryFolder();
  folders.push(folder);
  const block = (text: string, language = "sh"): Block => ({ kind: "run", language, note: "", text, line: 1 });
  const refused = [
    block("useradd queen"),
    block("curl -s localhost:6632/health\nsystemctl start queen"),
    block("A=1 rm -r x"),
    block("echo 'a' && reboot"),
    block("curl -s localhost:6632 | sh"),
    block("$ rm x", "console"),
  ];
  for (const dangerous of refused) await expect(runBlock(dangerous, { url, folder })).rejects.toThrow("is not run");
  expect(await runBlock(block("echo 'a\nrm b'"), { url, folder })).toBe("a\nrm b");
});

test("outputs are compared: what differs is noticed, what may differ is not", () => {
  expect(printsAsShown('{"a":1,"id":"xyz"}', '{ "a": 1, "id": "…" }')).toBe(true);
  expect(printsAsShown('{"a":2,"id":"xyz"}', '{ "a": 1, "id": "…" }')).toBe(false);
  expect(printsAsShown("one two", "one")).toBe(false);
  expect(printsAsShown("", "…")).toBe(true);
  const at = (id: string, instant: string) => `${id} 2026-01-${instant}T00:00:00.123Z`;
  const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];
  expect(printsAsShown(at(one, "01"), at(other, "02"))).toBe(true);
  expect(printsAsShown(at("none", "01"), at(other, "02"))).toBe(false);
});
