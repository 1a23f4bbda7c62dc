/**
 * Commands of `queen` as processes, as a person or a script runs them.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
const MAIN = join(ROOT, "server/main.ts");

/** How a command ended. */
export interface Ended {
  code: number | null;
  out: string;
  err: string;
  /** What stands on stdout, as JSON; each line alone when there are several. */
  // biome-ignore lint/suspicious/noExplicitAny: tests state the shape they expect.
  json: any;
}

/** Settings of {@link queen}. */
export interface QueenOptions {
  /** Added to the environment. */
  env?: Record<string, string | undefined>;
  /** Given to stdin, which is closed then; nothing otherwise. */
  input?: string;
}

/** Starts a command. */
export function startQueen(args: readonly string[], { env = {} }: QueenOptions = {}): ChildProcess {
  const clean = { ...process.env, DATABASE_URL: undefined, PG_HOST: undefined, NO_COLOR: undefined, ...env };
  return spawn(process.execPath, ["run", MAIN, ...args], { env: clean, stdio: ["pipe", "pipe", "pipe"] });
}

/** Runs a command to its end. */
export async function queen(args: readonly string[], options: QueenOptions = {}): Promise<Ended> {
  const child = startQueen(args, options);
  child.stdin!.on("error", () => {});
  child.stdin!.end(options.input ?? "");
  return await ended(child);
}

/** Waits for the end of a command that was started. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { out: "", err: "" };
  child.stdout!.setEncoding("utf8").on("data", (part: string) => {
    texts.out += part;
  });
  child.stderr!.setEncoding("utf8").on("data", (part: string) => {
    texts.err += part;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return {
    code,
    ...texts,
    get json() {
      const lines = texts.out.trim().split("\n");
      return lines.length === 1 ? JSON.parse(lines[0]!) : lines.map((line) => JSON.parse(line));
    },
  };
}

/** The same commands against one server. */
export function queenOn(url: () => string): (...args: string[]) => Promise<Ended> {
  return (...args) => queen(args, { env: { QUEEN_URL: url() } });
}
