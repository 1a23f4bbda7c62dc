/**
 * Programs as a person starts them: with an environment and a folder of their own.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, globSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** Folder of the repository. */
export const ROOT = join(import.meta.dirname, "..", "..");

/** Makes a temporary folder that other users may pass through, as PostgreSQL's must when root starts it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "queen-runtime-"));
  chmodSync(folder, 0o755);
  return folder;
}

/** How a program is started. */
export interface ProgramOptions {
  cwd: string;
  /** The whole environment: nothing is inherited. */
  env: Readonly<Record<string, string>>;
}

/** A program that was started. */
export interface Program {
  readonly pid: number;
  /** Every line it printed so far, standard error included. */
  readonly lines: readonly string[];
  /** Exit code once it ended and its output is complete; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Sends a signal to it alone. */
  signal(name: NodeJS.Signals): void;
  /** Sends a signal to it and to all it started, as a terminal does for Ctrl-C. */
  signalGroup(name: NodeJS.Signals): void;
  /**
   * Waits for the server it starts to listen.
   *
   * @returns Its address, without a trailing slash.
   * @throws Error with all output when it ends before, or after `timeoutMs` milliseconds.
   */
  listening(timeoutMs: number): Promise<string>;
}

/** Starts a program in a process group of its own. The caller ends it. */
export function startProgram([file, ...args]: readonly [string, ...string[]], options: ProgramOptions): Program {
  const child = spawn(file, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const listener of listeners) listener(line);
    });
  }
  const exited = exitOf(child);
  return {
    pid: child.pid ?? 0,
    lines,
    exited,
    signal: (name) => sendSignal(child.pid!, name),
    signalGroup: (name) => sendSignal(-child.pid!, name),
    listening: (timeoutMs) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) => reject(new Error(`${file} ${args.join(" ")}: ${why}\n${lines.join("\n")}`));
        const timer = setTimeout(() => fail(`did not listen within ${timeoutMs} ms`), timeoutMs);
        const look = (line: string) => {
          const url = /"url":"(http:[^"]+)".*"event":"listening"/.exec(line)?.[1];
          if (url !== undefined) resolve(url);
        };
        lines.forEach(look);
        listeners.add(look);
        exited.then(
          (code) => fail(`ended with ${code} before it listened`),
          (error) => fail(String(error)),
        );
        exited.catch(() => {}).finally(() => clearTimeout(timer));
      }),
  };
}

/** A program that ended by itself is no error here: its exit code and output tell. */
function sendSignal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
}

/** Runs a program to its end. */
export async function runProgram(
  command: readonly [string, ...string[]],
  options: ProgramOptions,
): Promise<{ code: number | null; output: string }> {
  const program = startProgram(command, options);
  const code = await program.exited;
  return { code, output: program.lines.join("\n") };
}

/** Folders of these programs on this machine, as a PATH. @throws Error when one is missing. */
export function pathOf(...names: string[]): string {
  const folders = names.map((name) => {
    const found = Bun.which(name);
    if (found === null) throw new Error(`${name} is not installed`);
    return dirname(found);
  });
  return [...new Set(folders)].join(delimiter);
}

/** The Deno that npm installed: the program itself, which `node_modules/.bin/deno` starts through Node. */
export function denoPath(): string {
  const [path] = globSync("node_modules/@deno/*/deno", { cwd: ROOT });
  if (path === undefined) throw new Error("Deno is not installed: run `npm install`");
  return join(ROOT, path);
}
