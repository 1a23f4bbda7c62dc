/**
 * `bun run build [file]`: builds the single binary, `dist/queen` unless told otherwise: server, workers and migrations
 * in one file.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname, "..");
const outfile = resolve(process.argv[2] ?? join(root, "dist", "queen"));
/** The program, and beside it what it starts by address: see `pool/spawn.ts`. */
const ENTRY_POINTS = ["server/main.ts", "workers/worker.ts"];

mkdirSync(dirname(outfile), { recursive: true });
const built = spawnSync(process.execPath, ["build", "--compile", "--minify", ...ENTRY_POINTS, "--outfile", outfile], {
  cwd: root,
  stdio: "inherit",
});
if (built.status !== 0) process.exit(built.status ?? 1);
process.stdout.write(`${outfile} (${Math.round(statSync(outfile).size / 1e6)} MB)\n`);
