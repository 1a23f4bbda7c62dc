import { spawn } from "node:child_process";
import { type Account, spawnAs } from "./account.ts";

/**
 * The whole environment of every PostgreSQL program: messages in English, which {@link startPostmaster} reads, and
 * nothing of the caller's, whose `PG*` variables would change what these programs do.
 */
export const PROGRAM_ENV: Record<string, string> = { LC_ALL: "C", PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/" };

/** How a program ended and what it said. */
export interface RunResult {
  /** Exit code; null when a signal ended it or it never started. */
  code: number | null;
  stdout: string;
  /** What it wrote there, or why it could not be started. */
  stderr: string;
}

/**
 * Runs a program to its end.
 *
 * @param program - Absolute path.
 * @param args - Arguments.
 * @param account - Who runs it.
 * @param input - Text for its standard input.
 * @returns How it ended; a program that cannot be started is a result too, never a throw.
 */
export function run(program: string, args: string[], account: Account, input = ""): Promise<RunResult> {
  return new Promise((resolve) => {
    let stdout = "";
    let stderr = "";
    const fail = (error: unknown) =>
      resolve({ code: null, stdout, stderr: error instanceof Error ? error.message : String(error) });
    try {
      const child = spawn(program, args, {
        ...spawnAs(account),
        // Own session: Ctrl-C in the terminal must not tear a half-made cluster out of the server's hands.
        detached: true,
        cwd: "/",
        env: PROGRAM_ENV,
        stdio: ["pipe", "pipe", "pipe"],
      });
      child.on("error", fail);
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      child.on("close", (code) => resolve({ code, stdout, stderr }));
      // A program that ends before it has read its input is judged by its exit code.
      child.stdin.on("error", () => {});
      child.stdin.end(input);
    } catch (error) {
      fail(error);
    }
  });
}
