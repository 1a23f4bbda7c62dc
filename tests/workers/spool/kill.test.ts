/**
 * Processes that are killed with -9 while they write or read a spool: what was answered is there, once and in order.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Random, runSeed } from "../../support/random.ts";
import { drain, makeFolder, openSpool, removeFolder } from "./support.ts";

setDefaultTimeout(60_000);
const KILLS = 8;
const seed = runSeed();
let folder: string;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => removeFolder(folder));

/** Runs the victim and kills it after so many lines. @returns What it printed, and whether it ended by itself. */
async function runVictim(args: string[], killAfterLines: number): Promise<{ lines: string[]; ended: boolean }> {
  const child = spawn(process.execPath, ["run", join(import.meta.dirname, "victim.ts"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (lines.length === killAfterLines) child.kill("SIGKILL");
    }
  })();
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  await read;
  return { lines, ended: code === 0 };
}

test(`kill -9 while writing loses nothing that was answered (MODEL_SEED=${seed})`, async () => {
  const random = new Random(seed);
  const answered: number[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const start = kill * 100_000;
    const { lines } = await runVictim(["write", folder, String(start)], random.int(1, 400));
    answered.push(...lines.map(Number));
  }
  const spool = await openSpool(folder);
  await spool.close();
  expect(answered.length).toBeGreaterThan(KILLS);

  // Somebody else drains it, and is killed again and again.
  const notes = join(folder, "notes.txt");
  for (let ended = false; !ended; ) ({ ended } = await runVictim(["drain", folder, notes], random.int(1, 60)));
  const noted = readFileSync(notes, "utf8").trimEnd().split("\n").map(Number);
  const once = [...new Set(noted)];
  expect(once).toEqual(once.toSorted((a, b) => a - b));
  expect(answered.filter((id) => !once.includes(id))).toEqual([]);
  const empty = await openSpool(folder);
  expect(await drain(empty)).toEqual([]);
  await empty.close();
});
