/**
 * Code in Markdown documents, and how it is run.
 *
 * A fenced block of `sh`, `js` or `ts` is tried by being run, in the order of the document; of a `console`, what follows
 * a `$` is run and the rest is what it prints. What the first line says after the language tells otherwise:
 *
 * - ` ```sh tested-by tests/a.test.ts ` — that test runs it;
 * - ` ```sh untested why ` — it cannot be run by a test, for this reason (or `<!-- untested: why -->` in the line before);
 * - ` ```json output ` — what the block before it prints.
 *
 * In what is printed `…` stands for anything, any UUID for any other, likewise instants and durations, and white space does
 * not count.
 *
 * Blocks of other languages (`text`, `json`, `sql`, …) and of none are pictures; JSON must be JSON.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runProgram } from "../runtime/program.ts";

/** What is done with a block. */
export type BlockKind = "run" | "output" | "tested-by" | "untested" | "picture";

/** A fenced block. */
export interface Block {
  readonly kind: BlockKind;
  readonly language: string;
  /** The path of a test, or the reason; empty for other kinds. */
  readonly note: string;
  /** Without the fences. */
  readonly text: string;
  /** Of its opening fence, from 1. */
  readonly line: number;
}

/** Where the blocks of a document run. */
export interface Surroundings {
  /** Base address of the server that stands for `http://localhost:6632`. */
  url: string;
  /** Programs are written here. */
  folder: string;
  /** Where commands run; `folder` when left out. */
  cwd?: string;
}

const RUNNABLE = new Set(["sh", "js", "ts", "console"]);
/** Begins a command in a console. */
const PROMPT = /^\$ /;
/** What is another one each time, by what it is compared as. */
const PASSING: readonly (readonly [RegExp, string])[] = [
  [/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, "<id>"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z?/g, "<instant>"],
  [/\b[\d.]+ (ms|s)\b/g, "<duration>"],
];
const ADDRESS = "localhost:6632";
const FENCE = /^( *)```(.*)\n([\s\S]*?)^\1```$/gm;
const HINT = "Where it cannot run here, say `untested why` or `tested-by tests/x.test.ts` after the language.";
const UNTESTED_COMMENT = /<!-- untested: (.+?) -->\s*$/;
/**
 * What a command may begin with. Documents also say how to make users and services: without this list a block that nobody
 * marked yet would do that to the machine of whoever runs the tests.
 */
const HARMLESS =
  /^(curl|queen|bun (docs\/examples\/|run )|node |seq |openssl|printf|echo|cat |chmod |\w+=\S* (curl|queen|bun)\b)/;

/**
 * Reads the fenced blocks of a document.
 *
 * @param path - From the root of the repository.
 * @throws Error when a block has words after its language that mean nothing.
 */
export function readBlocks(path: string): Block[] {
  const document = readFileSync(join(ROOT, path), "utf8");
  return [...document.matchAll(FENCE)].map((match) => {
    const line = document.slice(0, match.index).split("\n").length;
    const [language = "", word = "", ...rest] = match[2]!.trim().split(/\s+/);
    const text = match[3]!.replaceAll(new RegExp(`^${match[1]}`, "gm"), "").trimEnd();
    const comment = UNTESTED_COMMENT.exec(document.slice(0, match.index))?.[1];
    const marked = comment === undefined ? [word, rest.join(" ")] : ["untested", comment];
    return { ...kindOf(language, marked[0]!, marked[1]!, `${path}:${line}`), language, text, line };
  });
}

function kindOf(language: string, word: string, note: string, place: string): { kind: BlockKind; note: string } {
  if (word === "") return { kind: RUNNABLE.has(language) ? "run" : "picture", note };
  if (word === "output" && note === "") return { kind: "output", note };
  if ((word === "tested-by" || word === "untested") && note !== "") return { kind: word, note };
  throw new Error(`${place}: "${word} ${note}" after the language means nothing`);
}

/**
 * Runs one block. A command ends at its first failure.
 *
 * @returns What it printed, errors included.
 * @throws Error with all output when it does not end with 0.
 */
export async function runBlock(block: Block, { url, folder, cwd = folder }: Surroundings): Promise<string> {
  const host = new URL(url).host;
  const text = block.text.replaceAll(ADDRESS, host);
  const env = {
    PATH: `${programs(folder)}:${join(ROOT, "node_modules/.bin")}:${process.env.PATH ?? ""}`,
    HOME: folder,
    QUEEN_URL: url,
  };
  const { code, output } = await runProgram(commandOf(block, text, folder), { cwd, env });
  if (code !== 0) throw new Error(`line ${block.line} ended with ${code}. ${HINT}\n${text}\n${output}`);
  return output;
}

/** Folder with the programs that documents name and that nobody has to install: `queen`, as of this tree. */
function programs(folder: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const text = `#!/bin/sh\nexec "${process.execPath}" run "${join(ROOT, "server/main.ts")}" "$@"\n`;
  writeFileSync(join(bin, "queen"), text, { mode: 0o755 });
  return bin;
}

/** Errors go the way of the output, so that lines keep their order. */
function shell(commands: string): [string, ...string[]] {
  // A line that goes on after a backslash or inside quotes is part of the command before it.
  const single = commands.replaceAll("\\\n", " ").replaceAll(/'[^']*'|"[^"]*"/g, "''");
  for (const command of single.split(/\n|&&|;|\|+/).map((text) => text.trim()))
    if (!/^(#.*)?$/.test(command) && !HARMLESS.test(command))
      throw new Error(`"${command}" is not run: it begins with no program that is known to be harmless. ${HINT}`);
  return ["sh", "-e", "-c", `exec 2>&1\n${commands}`];
}

function commandOf({ language, line }: Block, text: string, folder: string): [string, ...string[]] {
  if (language === "console") {
    const lines = text.split("\n").filter((command) => PROMPT.test(command));
    return shell(lines.map((command) => command.replace(PROMPT, "")).join("\n"));
  }
  if (language === "sh") return shell(text);
  const file = join(folder, `line-${line}.${language === "js" ? "mjs" : "ts"}`);
  writeFileSync(file, text);
  return [process.execPath, "run", file];
}

/**
 * Compares what a block printed with what the document shows.
 *
 * @param shown - `…` stands for anything, also for nothing; ids and times for others. White space does not count.
 */
export function printsAsShown(printed: string, shown: string): boolean {
  const steady = (text: string) => PASSING.reduce((rest, [pattern, name]) => rest.replaceAll(pattern, name), text);
  const bare = (text: string) => steady(text).replaceAll(/\s/g, "");
  const pieces = bare(shown).split("…").map(RegExp.escape);
  return new RegExp(`^${pieces.join("[\\s\\S]*")}$`).test(bare(printed));
}

/**
 * Tries a document: runs what can be run, in order, and compares what is shown as output.
 *
 * @param path - From the root of the repository.
 * @returns One sentence for each thing that is not as the document says; empty when it is true.
 * @throws Error as {@link runBlock} does.
 */
export async function tryDocument(path: string, surroundings: Surroundings): Promise<string[]> {
  const wrong: string[] = [];
  let printed: string | undefined;
  for (const block of readBlocks(path)) {
    if (block.kind === "run") {
      printed = await runBlock(block, surroundings);
      const shown = block.text.replaceAll(/^\$ .*$/gm, "");
      if (block.language === "console" && !printsAsShown(printed, shown))
        wrong.push(`${path}:${block.line}: shown\n${shown}\nprinted\n${printed}`);
    }
    // A picture between a program and its output would make the output that of the picture.
    else if (block.kind !== "output") printed = undefined;
    else if (printed === undefined) wrong.push(`${path}:${block.line}: no block that runs stands before this output`);
    else if (!printsAsShown(printed, block.text))
      wrong.push(`${path}:${block.line}: shown\n${block.text}\nprinted\n${printed}`);
  }
  return wrong;
}
