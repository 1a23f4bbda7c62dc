/**
 * `bun run docs:cli`: writes the reference in `docs/cli.md` from the commands themselves, below a line that marks its beginning; what
 * stands above is written by hand. `--check` writes nothing and fails when they differ.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Command } from "commander";
import { buildProgram } from "./cli/program.ts";

const FILE = join(import.meta.dirname, "..", "docs", "cli.md");
const MARK = "<!-- Written from here on by `bun run docs:cli`. Do not edit below. -->\n";
const WIDTH = 120;

/**
 * Makes the document.
 *
 * @param current - The document as it stands: what is above the mark is kept.
 * @returns The whole text of `docs/cli.md`.
 */
export function cliDocument(current: string): string {
  const at = current.indexOf(MARK);
  const hand = at < 0 ? current : current.slice(0, at);
  return `${hand}${MARK}\n## Commands\n${commandsOf(buildProgram())
    .map(({ words, command }) => `\n### queen ${words}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`)
    .join("")}`;
}

/** Every command that does something, in the order of the help. */
export function commandsOf(parent: Command, words = ""): { words: string; command: Command }[] {
  return parent.commands
    .filter((child) => child.name() !== "help")
    .flatMap((child) => {
      const path = `${words} ${child.name()}`.trim();
      return child.commands.length > 0 ? commandsOf(child, path) : [{ words: path, command: child }];
    });
}

/** Help as it is printed, with the examples, at a width that is always the same. */
function helpOf(command: Command): string {
  let text = "";
  command.configureHelp({ helpWidth: WIDTH });
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}

if (import.meta.main) {
  const current = readFileSync(FILE, "utf8");
  const text = cliDocument(current);
  if (!process.argv.includes("--check")) writeFileSync(FILE, text);
  else if (current !== text) {
    process.stderr.write("docs/cli.md differs from the commands: run `bun run docs:cli`\n");
    process.exit(1);
  }
}
