/**
 * The recipes of docs/examples say what they do: each runs here as a person would run it, and its output is compared. What
 * they print depends on nothing but the server's promises.
 */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runProgram } from "../runtime/program.ts";
import { databaseSocket } from "../support/database.ts";
import { sharedServer } from "../support/server.ts";

setDefaultTimeout(120_000);

const FOLDER = join(ROOT, "docs/examples");
/** Every recipe is shorter. */
const LINES = 60;
const RECIPES: Record<string, string[]> = {
  "work-queue.ts": [
    "39 jobs done, job 7 in 2 attempts",
    "dead letter: job 13 after 3 attempts: Error: no luck with job 13",
  ],
  "fan-out-replay.ts": [
    "billing: opened sold closed",
    "newsletter, new: ",
    "billing: reopened",
    "newsletter: reopened",
    "audit, late: opened sold closed reopened",
    "billing, replay: opened sold closed reopened",
    "audit: ",
  ],
  "pipeline.ts": [
    "refused: ACK operation failed: Invalid or expired lease; priced so far: 0",
    "committed: true",
    "committed: true",
    "1 cake for 4",
    "2 tea for 6",
    "orders left: 0",
  ],
  "delayed-jobs.ts": ["look at the oven: not before 1 s", "look at the oven again: not before 2 s"],
  "per-customer-order.ts": ["1000 events of 50 customers, 0 out of order"],
  "rate-limit.ts": ["ada: 15 calls, at most 5 in any 400 ms", "bob: 15 calls, at most 5 in any 400 ms"],
  "exactly-once-postgres.ts": [
    "6 delivered, 6 booked, then the consumer died",
    "6 delivered, 0 booked",
    "ada: 6",
    "bob: 6",
  ],
  "flights.ts": [
    "counting: 2000 flights of 155 airports, 0 out of order",
    "delays: 2000 flights of 155 airports, 0 out of order",
    "busiest: ORD with 119; delays: true",
  ],
};

let env: Record<string, string>;
beforeAll(async () => {
  const server = await sharedServer();
  // The database of the server itself stands for the one that the consumer of exactly-once-postgres.ts writes to.
  const { folder, port, user, database } = await databaseSocket(server.dataDir);
  const connection = { PGHOST: folder, PGPORT: String(port), PGUSER: user, PGDATABASE: database };
  env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", QUEEN_URL: server.url, ...connection };
});

test.concurrent.each(Object.entries(RECIPES))("%s prints what it promises", async (name, lines) => {
  const { code, output } = await runProgram([process.execPath, "run", join(FOLDER, name)], { cwd: ROOT, env });
  // Of two jobs that are both due, on a machine that stood still, either may come first.
  const sort = (text: string[]) => (name === "delayed-jobs.ts" ? text.sort() : text);
  expect({ code, lines: sort(output.split("\n")) }).toEqual({ code: 0, lines: sort(lines) });
});

test("every recipe is run, is short, and stands in the list", () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".ts"));
  expect(names.sort()).toEqual(Object.keys(RECIPES).sort());
  const list = readFileSync(join(FOLDER, "README.md"), "utf8");
  for (const name of names) {
    expect(readFileSync(join(FOLDER, name), "utf8").split("\n").length - 1, name).toBeLessThan(LINES);
    expect(list).toContain(`](${name})`);
  }
});
