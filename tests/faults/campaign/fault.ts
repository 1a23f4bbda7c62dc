/**
 * What a fault is, to be injected by {@link runCampaign} (`campaign.ts`).
 *
 * A fault is a value of {@link Fault}: it opens a {@link Ground} (servers over a database, and whatever stands in between),
 * and injects itself there, any number of times, under load. It knows nothing of load, histories and checks. Each file in
 * `tests/faults/kinds/` holds some; `kinds/all.ts` lists them for `bun run test:faults`, and a `*.test.ts` has the short form of a
 * file's faults run with `testFaults` (`short-form.ts`):
 *
 * ```ts
 * export const serverKilled: Fault = {
 *   name: "server-killed",
 *   what: "the server is killed with -9 and started again",
 *   times: { short: 2, long: 30 },
 *   open: async () => ownGround(),
 *   inject: async (ground, blow) => {
 *     blow.pause();
 *     process.kill(ground.servers[0]!.pid, "SIGKILL");
 *     ground.servers[0] = await restart(ground.servers[0]!);
 *   },
 * };
 * ```
 *
 * @module
 */
import type postgres from "postgres";
import type { Random } from "../../support/random.ts";
import type { TestServer } from "../../support/server.ts";

/** `short` runs in CI and takes seconds; `long` is run by hand. */
export type Form = "short" | "long";

/** What a fault is injected into. */
export interface Ground {
  /** At least one. An injection that replaces a server puts the new one in its place. */
  readonly servers: TestServer[];
  /** Where clients find the servers; absent: at the servers themselves. Read anew after each injection. */
  urls?(): string[];
  /** Opens one connection to the database, for the checks at the end; the caller ends it. */
  openSql(): Promise<postgres.Sql>;
  /** Ends everything. */
  close(): Promise<void>;
}

/** One injection, as the fault sees it. */
export interface Blow {
  readonly random: Random;
  readonly form: Form;
  /** Has clients wait until the injection is over: for faults after which nobody is there to answer. */
  pause(): void;
  /**
   * Recovery counts from here: a fault that lasts is over now, or one that had to wait for its moment strikes now. Without it
   * recovery counts from the begin of the injection.
   */
  healed(): void;
  /** Does what may end leases before their time, or lets them last beyond it: those held meanwhile, and nothing else. */
  endLeases(act: () => Promise<void>): Promise<void>;
}

/** See the module comment. */
export interface Fault {
  /** In kebab case. */
  readonly name: string;
  /** One line for tables. */
  readonly what: string;
  /** How often it is injected. */
  readonly times: Readonly<Record<Form, number>>;
  /** How long load runs before each injection, in milliseconds, by chance between the two; 50 to 900 unless told. */
  readonly loadMs?: readonly [number, number];
  /** Why it cannot be injected on this machine; null: it can. */
  unable?(): string | null | Promise<string | null>;
  open(form: Form): Promise<Ground>;
  /** Injects the fault once. Resolves when it is over, whether or not the servers have recovered. */
  inject(ground: Ground, blow: Blow): Promise<void>;
  /** Looks at the ground once everything has settled. @returns What is wrong there, in words. */
  inspect?(ground: Ground): string[] | Promise<string[]>;
}
