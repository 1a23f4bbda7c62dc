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

test("bridge.ts moves what a group has left, in order and under the same ids, and may be repeated", async () => {
  const http = async (path: string, body?: object) => {
    const answer = await fetch(env.QUEEN_URL + path, body && { method: "POST", body: JSON.stringify(body) });
    return answer.status === 204 ? { messages: [] } : answer.json();
  };
  const item = (n: number) => ({ queue: "bridge-old", partition: `p${n % 3}`, transactionId: `t${n}`, payload: { n } });
  const numbers = Array.from({ length: 30 }, (_, n) => n);
  await http("/api/v1/push", { items: numbers.map(item) });
  await http("/api/v1/pop/queue/bridge-old/partition/p0?batch=4&autoAck=true&consumerGroup=g"); // 0, 3, 6, 9
  // As if an earlier bridge had been killed between its push and its acknowledgement.
  await http("/api/v1/push", { items: [{ ...item(12), queue: "bridge-new" }] });

  const bridge = { OLD_URL: env.QUEEN_URL!, QUEUE: "bridge-old", NEW_QUEUE: "bridge-new", GROUP: "g" };
  const command = [process.execPath, "run", join(FOLDER, "bridge.ts")] as const;
  const { code, output } = await runProgram(command, { cwd: ROOT, env: { ...env, ...bridge } });
  expect({ code, output }).toEqual({ code: 0, output: "26 messages moved, 1 of them for the second time" });

  const found = (await http("/api/v1/pop/queue/bridge-new?batch=100&partitions=10&autoAck=true")).messages;
  for (const partition of [0, 1, 2]) {
    const expected = numbers.filter((n) => n % 3 === partition && ![0, 3, 6, 9].includes(n));
    const there = found.filter((message: { partition: string }) => message.partition === `p${partition}`);
    expect(there.map(({ data }: { data: { n: number } }) => data.n)).toEqual(expected);
    expect(there.map(({ transactionId }: { transactionId: string }) => transactionId)).toEqual(
      expected.map((n) => `t${n}`),
    );
  }
});

test("every recipe is run, is short, and stands in the list", () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".ts"));
  expect(names.sort()).toEqual([...Object.keys(RECIPES), "bridge.ts"].sort());
  const list = readFileSync(join(FOLDER, "README.md"), "utf8");
  for (const name of names) {
    expect(readFileSync(join(FOLDER, name), "utf8").split("\n").length - 1, name).toBeLessThan(LINES);
    expect(list).toContain(`](${name})`);
  }
});
