/**
 * `bun run db:generate`: lets drizzle-kit write a migration for what changed in `tables.ts`, then embeds all migrations
 * into `migrations.generated.ts`, because a compiled binary has no folder to read them from. `--check` changes nothing
 * and fails when a migration is missing or the embedded copy is old.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, "schema", "database", "migrations");
const embedded = join(root, "schema", "database", "migrations.generated.ts");

/** Runs drizzle-kit; ends the process with its output when it fails. */
function drizzleGenerate(out: string): void {
  const run = spawnSync(
    process.execPath,
    [
      join(root, "node_modules", "drizzle-kit", "bin.cjs"),
      "generate",
      "--dialect=postgresql",
      `--schema=${join("schema", "database", "tables.ts")}`,
      `--out=${relative(root, out)}`,
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (run.status !== 0 || /error/i.test(run.stderr)) {
    console.error(run.stdout, run.stderr);
    process.exit(1);
  }
}

function sqlFiles(of: string): string[] {
  return readdirSync(of)
    .filter((name) => name.endsWith(".sql"))
    .sort();
}

/** The text of the embedding module: every migration of the journal, in its order, split into statements. */
function embed(): string {
  const journal = JSON.parse(readFileSync(join(folder, "meta", "_journal.json"), "utf8")) as {
    entries: { idx: number; tag: string }[];
  };
  const migrations = journal.entries.map(({ idx, tag }) => ({
    id: idx,
    name: tag,
    statements: readFileSync(join(folder, `${tag}.sql`), "utf8")
      .split("--> statement-breakpoint")
      .map((statement) => statement.trim())
      .filter((statement) => statement !== ""),
  }));
  return `// Written by \`bun run db:generate\` from the folder beside it. Do not edit.\n\nexport const migrations: readonly { readonly id: number; readonly name: string; readonly statements: readonly string[] }[] = ${JSON.stringify(migrations, null, 2)};\n`;
}

function check(): string[] {
  const problems: string[] = [];
  const scratch = mkdtempSync(join(tmpdir(), "queen-migrations-"));
  try {
    cpSync(folder, scratch, { recursive: true });
    drizzleGenerate(scratch);
    const extra = sqlFiles(scratch).length - sqlFiles(folder).length;
    if (extra > 0) problems.push("tables.ts differs from the migrations: run `bun run db:generate`");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (readFileSync(embedded, "utf8") !== embed()) {
    problems.push("migrations.generated.ts differs from the folder: run `bun run db:generate`");
  }
  return problems;
}

if (process.argv.includes("--check")) {
  const problems = check();
  for (const problem of problems) console.error(problem);
  if (problems.length === 0) console.log("Tables, migrations and their embedded copy agree.");
  process.exit(problems.length === 0 ? 0 : 1);
}
drizzleGenerate(folder);
writeFileSync(embedded, embed());
console.log(`${sqlFiles(folder).length} migrations embedded.`);
