/**
 * PgBouncer in transaction mode, as Debian ships it.
 *
 * @module
 */
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, UNPRIVILEGED } from "../runtime/debian-postgres.ts";
import { type Program, startProgram, temporaryFolder } from "../runtime/program.ts";

const PROGRAM = Bun.which("pgbouncer", { PATH: `${process.env.PATH}:/usr/sbin` });

/** Why it cannot be had on this machine; null: it can. */
export const pgbouncerMissing: string | null = PROGRAM === null ? "no pgbouncer: apt-get install pgbouncer" : null;

/** See the module comment. */
export class PgBouncer {
  readonly #folder = temporaryFolder();
  readonly #settings = join(this.#folder, "pgbouncer.ini");
  readonly port: number;
  #program: Program;

  private constructor(port: number, target: string) {
    this.port = port;
    const options = "auth_type=any\npool_mode=transaction\ndefault_pool_size=5\nunix_socket_dir=\n";
    writeFileSync(
      this.#settings,
      `[databases]\napp = ${target}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\n${options}`,
    );
    if (UNPRIVILEGED.uid !== undefined) chownSync(this.#settings, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
    this.#program = this.#run();
  }

  /**
   * Starts one on a free port of 127.0.0.1, for one database of the name `app`.
   *
   * @param target - As PgBouncer's settings have it: `host=... port=... dbname=... user=...`.
   */
  static async start(target: string): Promise<PgBouncer> {
    return new PgBouncer(await freePort(), target);
  }

  #run(): Program {
    const asUser = UNPRIVILEGED.uid === undefined ? [] : ["-u", "nobody"];
    return startProgram([PROGRAM!, ...asUser, this.#settings], {
      cwd: this.#folder,
      env: { PATH: process.env.PATH ?? "" },
    });
  }

  /** What it printed since it was last started. */
  get lines(): readonly string[] {
    return this.#program.lines;
  }

  /** Ends it and starts it again, on the same port. */
  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#end(signal);
    this.#program = this.#run();
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#program.signal(signal);
    await this.#program.exited;
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
