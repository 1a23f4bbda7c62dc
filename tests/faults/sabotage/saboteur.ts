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

  /** Gives an order. @returns Once it is on its way to the worker. */
  async order(order: Order): Promise<void> {
    rethrow(await fetch("http://localhost/", { unix: this.#socket, method: "POST", body: JSON.stringify(order) }));
  }

  /** Removes what it has on disk. */
  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function rethrow(answer: Response): void {
  if (!answer.ok) throw new Error(`the saboteur was answered ${answer.status}`);
}
