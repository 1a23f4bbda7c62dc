/**
 * Servers whose workers can be made to fail, without a line in the server for it.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { StartOptions } from "../../support/server.ts";
import { type Order, SABOTAGE_VARIABLE } from "./protocol.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");

const ORDER_MS_MAX = 10_000;

/** See the module comment. */
export class Saboteur {
  readonly #folder = mkdtempSync(join(tmpdir(), "queen-sabotage-"));
  readonly #socket = join(this.#folder, "orders");

  /** @returns What such a server is started with; `env` is added. */
  options(env: Record<string, string> = {}): StartOptions {
    const preload = join(import.meta.dirname, "router.ts");
    const main = join(ROOT, "server/main.ts");
    return {
      command: [process.execPath, "run", "--preload", preload, main, "serve"],
      env: { ...env, [SABOTAGE_VARIABLE]: this.#socket },
    };
  }

  /** Gives an order. @returns Once it is on its way to the worker; also when that was the end of the process. */
  async order(order: Order): Promise<void> {
    const signal = AbortSignal.timeout(ORDER_MS_MAX);
    const init = { unix: this.#socket, method: "POST", body: JSON.stringify(order), signal };
    const answer = await fetch("http://localhost/", init).catch(() => null);
    if (answer !== null && !answer.ok) throw new Error(`the saboteur was answered ${answer.status}`);
  }

  /** Removes what it has on disk. */
  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
