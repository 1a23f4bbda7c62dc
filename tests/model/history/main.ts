/**
 * `bun run check:history FILE`: checks the history that a test left behind, by itself. Ends with 1 when there are violations.
 *
 * @module
 */
import process from "node:process";
import { checkHistory } from "./checks.ts";
import { readHistory } from "./file.ts";

const [path] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write("Usage: bun run check:history FILE\n");
  process.exit(2);
}
const { history, groups } = readHistory(path);
const violations = checkHistory(history, groups);
const { pushes, pops, acks } = history;
process.stdout.write(
  `${pushes.length} pushed, ${pops.length} pops, ${acks.length} acknowledged, groups ${groups.join(", ")}\n`,
);
for (const violation of violations) process.stdout.write(`${violation}\n`);
process.stdout.write(`${violations.length} violations\n`);
process.exit(violations.length > 0 ? 1 : 0);
