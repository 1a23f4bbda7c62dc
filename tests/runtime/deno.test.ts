/**
 * The server on Deno: its thin suite `deno.ts`, and the task a person types.
 */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { MAIN_PATH } from "./main-path.ts";
import { denoPath, pathOf, ROOT, runProgram, startProgram, temporaryFolder } from "./program.ts";

const TIMEOUT_MS = 120_000;

function environment(dataDir: string): Record<string, string> {
  // A folder of its own for what Deno compiles: that of the machine may be closed to this user.
  return {
    PATH: pathOf("node", "sh"),
    HOME: dataDir,
    DENO_DIR: join(dataDir, "deno"),
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    QUEEN_DATA_DIR: join(dataDir, "queen"),
    PORT: "0",
    HOST: "127.0.0.1",
  };
}

test(
  "`deno task test` passes",
  async () => {
    const folder = temporaryFolder();
    try {
      const { code, output } = await runProgram([denoPath(), "task", "test"], {
        cwd: ROOT,
        env: environment(folder),
      });
      expect(output).toContain(`2 passed (${MAIN_PATH.length + 1} steps) | 0 failed`);
      expect(code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);

test(
  "`deno task server` serves, and Ctrl-C stops it",
  async () => {
    const folder = temporaryFolder();
    const server = startProgram([denoPath(), "task", "server"], { cwd: ROOT, env: environment(folder) });
    try {
      const api = new Api(new Http(await server.listening(60_000)));
      await api.pushAll("deno", "p", [1]);
      expect((await api.pop("deno", { autoAck: true })).map(({ data }) => data)).toEqual([1]);
    } finally {
      server.signalGroup("SIGINT");
      await server.exited;
      rmSync(folder, { recursive: true, force: true });
    }
    // The task runner in between ends by the signal; the server itself says that it stopped in order.
    expect(server.lines.join("\n")).toContain('"event":"stopped"');
  },
  TIMEOUT_MS,
);
