/**
 * Which room may import which, as docs/architecture.md has it: rules without HTTP or SQL can be read and tested alone.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dirname, "..");

/** Rooms by the beginning of their paths, narrowest first; each with the beginnings of what it may import of ours. */
const MAY_IMPORT: readonly (readonly [room: string, allowed: readonly string[]])[] = [
  ["schema/wire/", ["schema/wire/"]],
  ["schema/database/", ["schema/database/"]],
  ["workers/heartbeat.ts", []],
  ["workers/loop-lag.ts", []],
  ["workers/protocol.ts", ["schema/wire/", "workers/protocol/"]],
  ["workers/protocol/", ["schema/wire/", "workers/protocol/"]],
  ["workers/storage/", ["schema/", "workers/storage/", "workers/protocol"]],
  ["workers/spool/", ["schema/wire/", "workers/spool/"]],
  [
    "workers/engine/",
    ["schema/", "workers/storage/", "workers/spool/", "workers/engine/", "workers/protocol", "workers/loop-lag.ts"],
  ],
  ["workers/verbs/", ["schema/wire/", "workers/engine/", "workers/verbs/", "workers/protocol"]],
  ["workers/worker.ts", ["schema/wire/", "workers/"]],
  ["server/pool/", ["server/pool/", "workers/protocol"]],
  ["server/http/", ["server/http/", "server/pool/", "server/observe/", "schema/wire/", "server/config.ts"]],
  ["server/postgres/", ["server/postgres/", "workers/protocol.ts"]],
  [
    "server/observe/",
    ["server/observe/", "server/pool/", "server/config.ts", "workers/protocol", "workers/loop-lag.ts"],
  ],
  [
    "server/cli/",
    [
      "server/cli/",
      "server/config",
      "server/database.ts",
      "server/observe/log.ts",
      "server/postgres/",
      "server/serve-command.ts",
      "schema/",
      "workers/storage/",
      "workers/protocol",
      "package.json",
    ],
  ],
  ["server/config", ["server/config"]],
  // What the browser runs knows nothing but the API.
  ["server/dashboard/", ["server/dashboard/"]],
  ["server/", ["schema/", "workers/", "server/", "package.json"]],
];

/** Packages and names that one room alone may use. */
const ONLY_IN: readonly (readonly [what: string, pattern: RegExp, rooms: readonly string[]])[] = [
  ["cbor-x", /from "cbor-x"/, ["schema/wire/cbor.ts"]],
  ["prom-client", /from "prom-client"/, ["server/observe/page.ts"]],
  ["hono", /from "hono[/"]/, ["server/http/"]],
  ["drizzle-orm", /from "drizzle-orm[/"]/, ["schema/database/"]],
  ["postgres", /from "postgres"/, ["schema/database/migrate.ts", "workers/storage/", "workers/engine/", "server/"]],
  ["the environment", /\bprocess\.env\b|\bBun\.env\b|\bDeno\.env\b/, ["server/config.ts"]],
  ["jose", /from "jose"/, ["server/http/auth/"]],
  ["preact", /from "preact[/"]/, ["server/dashboard/"]],
  ["uplot", /from "uplot"/, ["server/dashboard/"]],
  ["Worker", /\bnew Worker\(/, ["server/pool/spawn.ts"]],
];

const files = ["schema", "workers", "server"]
  .flatMap((folder) => [...new Bun.Glob(`${folder}/**/*.{ts,tsx}`).scanSync(ROOT)])
  .filter((file) => !file.includes("/migrations/"))
  .sort();
const texts = new Map(files.map((file) => [file, withoutComments(readFileSync(join(ROOT, file), "utf8"))]));

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** What a file imports of ours, as paths from the root. */
function importsOf(file: string): string[] {
  const found = texts.get(file)!.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)"(\.[^"]+)"/gm);
  return [...found].map((match) => relative(ROOT, join(ROOT, dirname(file), match[1]!)));
}

function startsWithAny(path: string, beginnings: readonly string[]): boolean {
  return beginnings.some((beginning) => path.startsWith(beginning));
}

describe("imports", () => {
  test("every room imports only what it may", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const rule = MAY_IMPORT.find(([room]) => file.startsWith(room));
      expect(rule, `${file} lies in no room`).toBeDefined();
      for (const imported of importsOf(file)) {
        if (!startsWithAny(imported, rule![1])) wrong.push(`${file} imports ${imported}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("are found at all: the entry of the workers uses the engine, and main the pool by way of serve", () => {
    expect(importsOf("workers/worker.ts")).toContain("workers/engine/engine.ts");
    expect(importsOf("server/serve.ts")).toContain("server/pool/pool.ts");
  });

  test("carry the extension of an existing file", () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const imported of importsOf(file)) {
        if (!texts.has(imported) && imported !== "package.json" && !imported.endsWith(".css"))
          wrong.push(`${file} imports ${imported}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(ONLY_IN.map(([what, pattern, rooms]) => [what, pattern, rooms] as const))(
    "%s is used only where it belongs",
    (_what, pattern, rooms) => {
      const users = files.filter((file) => pattern.test(texts.get(file)!));
      expect(users).not.toEqual([]);
      expect(users.filter((file) => !startsWithAny(file, rooms))).toEqual([]);
    },
  );

  test("the build names every file that is started as a worker", () => {
    const build = texts.get("server/build.ts")!;
    for (const [, path] of texts.get("server/pool/spawn.ts")!.matchAll(/new URL\("(\.\.[^"]+)"/g)) {
      expect(build).toContain(`"${relative(ROOT, join(ROOT, "server/pool", path!))}"`);
    }
  });
});
