/**
 * The thin suite of Deno, run by Deno: `deno task test`. Starts the server on Deno, walks the main path, stops it.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { bodyRequest, echoPool } from "../server/pool/echo-pool.ts";
import { Api } from "../support/api.ts";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/wait.ts";
import { MAIN_PATH, MAIN_PATH_ENV, stopsWell } from "./main-path.ts";

/** The part of Deno's test runner that is used here; the project's types are Bun's. */
declare const Deno: {
  test(definition: {
    name: string;
    sanitizeOps: boolean;
    sanitizeResources: boolean;
    fn: (context: { step(name: string, run: () => Promise<void>): Promise<boolean> }) => Promise<void>;
  }): void;
};

/** Starts a server as `deno task server` does. */
function startDenoServer(): Promise<TestServer> {
  return startServer({ command: [process.execPath, "run", "-A", "server/main.ts", "serve"], env: MAIN_PATH_ENV });
}

Deno.test({
  name: "the server on Deno",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (context) => {
    const server = await startDenoServer();
    try {
      const api = new Api(new Http(server.url));
      for (const [name, run] of MAIN_PATH) await context.step(name, () => run(api));
      await context.step("answers a parked poll empty at a stop, and exits with 0", () =>
        // Not by `server.stop()`: after `ChildProcess.kill()` Deno reports the signal instead of the exit code.
        stopsWell(api, () => {
          process.kill(server.pid, "SIGTERM");
          return server.exited;
        }),
      );
    } finally {
      await server.stop();
    }
  },
});

Deno.test({
  name: "a worker that dies on Deno has its request answered, and is replaced",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const { pool } = echoPool({ workerCount: 1 });
    await pool.start();
    try {
      assert.ok((await pool.send(bodyRequest("ack", "DIE"))).status >= 500);
      await until(() => pool.state().workers[0]!.state === "ready", 10_000, "a new worker");
      assert.equal(pool.state().workers[0]!.restartCount, 1);
      assert.equal((await pool.send(bodyRequest("ack", "{}"))).status, 200);
    } finally {
      await pool.stop(1_000);
    }
  },
});
