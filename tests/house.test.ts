/**
 * The rules of the house that no other tool holds (who may import whom is in imports.test.ts): what stands only in one place, how large files
 * may grow, and that what is exported is explained.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const LINES_MAX = 400;

/** A file of the repository; paths have forward slashes and are relative to its root. */
interface SourceFile {
  path: string;
  text: string;
}

function read(folder: string, suffix: RegExp): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => posix.join(folder, name.replaceAll("\\", "/")))
    .filter((path) => suffix.test(path) && !path.includes("node_modules/"))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

const CODE = ["schema", "workers", "server"].flatMap((folder) => read(folder, /\.tsx?$/)).filter(isWritten);
const TESTS = read("tests", /\.ts$/);
const TEXTS = ["schema", "workers", "server", "tests", "docs"].flatMap((folder) => read(folder, /\.(ts|sql|md|json)$/));

function isWritten({ path }: SourceFile): boolean {
  return !path.endsWith(".generated.ts");
}

/** Places a file imports from, ours as paths, others as they are named. */
function importsOf({ path, text }: SourceFile): { target: string; statement: string }[] {
  const found = [
    ...text.matchAll(/^(?:import|export)\s[^;]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm),
  ];
  return found.map((match) => {
    const name = (match[1] ?? match[2] ?? match[3])!;
    const target = name.startsWith(".") ? posix.join(posix.dirname(path), name) : name;
    return { target, statement: match[0] };
  });
}

const isOurs = (target: string) => /^(schema|workers|server|tests)\/|^package\.json$/.test(target);

/** Lines that match, as `path:line: text`. */
function linesOf(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])),
  );
}

describe("imports", () => {
  test("http takes only types from the configuration", () => {
    const values = CODE.filter(({ path }) => path.startsWith("server/http/")).flatMap((file) =>
      importsOf(file)
        .filter(({ target, statement }) => target === "server/config.ts" && !statement.startsWith("import type"))
        .map(({ statement }) => `${file.path}: ${statement}`),
    );
    expect(values).toEqual([]);
  });

  test("only the codec imports the CBOR library", () => {
    const importers = CODE.filter((file) => importsOf(file).some(({ target }) => target === "cbor-x"));
    expect(importers.map(({ path }) => path)).toEqual(["schema/wire/cbor.ts"]);
  });

  test("imports of ours end in .ts or .json", () => {
    const bare = [...CODE, ...TESTS].flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => isOurs(target) && !/\.(tsx?|json|css)$/.test(target))
        .map(({ target }) => `${file.path} imports ${target}`),
    );
    expect(bare).toEqual([]);
  });
});

describe("what stands in one place only", () => {
  test("the environment is read by server/config.ts", () => {
    const readers = linesOf(CODE, /\b(process|Bun|Deno|import\.meta)\.env\b/);
    expect(readers.filter((line) => !line.startsWith("server/config.ts:"))).toEqual([]);
  });

  test("SQL stands in schema and workers/storage", () => {
    // Making the database itself comes before any connection: PostgreSQL's single-user mode reads it.
    const bootstrap = "server/postgres/cluster.ts";
    const elsewhere = CODE.filter(({ path }) => !/^(schema|workers\/storage)\//.test(path) && path !== bootstrap);
    const sql =
      /`\s*(select|insert into|update|delete from|with|create|alter|drop|listen|notify|set) [^`]*\S|\bqueen\.[a-z_]+ ?\(|\b(from|into|join) queen\./i;
    const comment = /^[^:]+:\d+: (\*|\/\/|\/\*)/;
    expect(linesOf(elsewhere, sql).filter((line) => !comment.test(line))).toEqual([]);
  });
});

describe("form", () => {
  test(`no file is over ${LINES_MAX} lines`, () => {
    const long = [...CODE, ...TESTS, ...TEXTS.filter(({ path }) => path.endsWith(".sql"))]
      .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > LINES_MAX);
    expect(long).toEqual([]);
  });

  test("file names are kebab-case", () => {
    const odd = [...CODE, ...TESTS].filter(
      ({ path }) => !/^[a-z0-9-]+(\.(test|generated))?\.tsx?$/.test(posix.basename(path)),
    );
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  test("every exported function and class is explained", () => {
    const bare = [...CODE, ...TESTS].flatMap(({ path, text }) => {
      const lines = text.split("\n");
      return lines.flatMap((line, at) => {
        const name = /^export (?:default )?(?:async )?(?:function\*?|(?:abstract )?class) (\w+)/.exec(line)?.[1];
        if (name === undefined || lines[at - 1]?.trimEnd().endsWith("*/")) return [];
        // A further overload is explained with the first one.
        return lines.slice(0, at).some((earlier) => earlier.startsWith(`export function ${name}(`))
          ? []
          : [`${path}: ${name}`];
      });
    });
    expect(bare).toEqual([]);
  });

  test("nothing is left to do, and no machine is named", () => {
    // Built from parts, so that this line is no match itself.
    const words = new RegExp(["TO" + "DO", "FIX" + "ME", "HA" + "CK\\b"].join("|"));
    const places = new RegExp(["/wo" + "rk/", "/ro" + "ot/", "/t" + "mp/(?!s\\b)"].join("|"));
    const compiled = /\/\$bunfs\/root\//;
    expect(linesOf(TEXTS, words)).toEqual([]);
    expect(linesOf(TEXTS, places).filter((line) => !compiled.test(line))).toEqual([]);
  });

  test("no check is switched off", () => {
    const off = new RegExp(["@ts-" + "ignore", "@ts-" + "nocheck", "@ts-" + "expect-error"].join("|"));
    expect(linesOf([...CODE, ...TESTS], off)).toEqual([]);
    const skipped = new RegExp(["\\b(test|it|describe)\\.(sk" + "ip|on" + "ly|to" + "do)\\("].join(""));
    expect(linesOf(TESTS, skipped)).toEqual([]);
  });
});
