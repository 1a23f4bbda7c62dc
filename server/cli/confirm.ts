/**
 * Asking before something is lost.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { CommonOptions } from "./command.ts";
import { CliError, Exit } from "./exit.ts";
import { harmless, note } from "./output.ts";

/**
 * Has a person type a word, unless `--yes` was given.
 *
 * @param what - A sentence that says what will be lost.
 * @param word - What is to be typed: the name of what is lost.
 * @throws {@link CliError} `usage` when there is nobody to ask, `failed` when something else was typed; nothing was done.
 */
export async function confirm(options: CommonOptions, what: string, word: string): Promise<void> {
  if (options.yes === true) return;
  if (process.stdin.isTTY !== true) {
    throw new CliError(`${what} Add --yes to do it without being asked.`, Exit.usage);
  }
  note(harmless(what));
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const typed = await terminal.question(`Type ${harmless(word)} to go on: `);
    if (typed.trim() !== word) throw new CliError("Nothing was done.");
  } finally {
    terminal.close();
  }
}
