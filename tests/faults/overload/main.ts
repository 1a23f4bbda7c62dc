/**
 * `bun run tests/faults/overload/main.ts --minutes 10`: offers three times what the server can do, and fails when that harms
 * more than what is refused.
 *
 * @module
 */
import { Command } from "commander";
import { overload } from "./run.ts";
import { problems, report } from "./verdicts.ts";

const BOUNDS = { acceptedP99Ms: 2_000, calmP99Ms: 2_000, memoryMb: 5_000, recoverySeconds: 5 };
const KINDS = [
  { name: "push-100", kind: "push", perRequest: 100, connections: 4_000 },
  { name: "push-1", kind: "push", perRequest: 1, connections: 4_000 },
  { name: "ack-1", kind: "ack", perRequest: 1, connections: 2_000 },
  { name: "pop-1", kind: "pop", perRequest: 1, connections: 2_000 },
] as const;

/** Runs the kinds asked for, or the first. @returns The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const command = new Command("overload")
    .argument("[kinds...]", `any of ${KINDS.map(({ name }) => name).join(", ")}`, ["push-100"])
    .option("--minutes <number>", "how long each lasts", Number, 10)
    .option("--factor <number>", "of what the server can do", Number, 3)
    .parse([...args], { from: "user" });
  const { minutes, factor } = command.opts<{ minutes: number; factor: number }>();
  let failed = false;
  for (const name of command.processedArgs[0] as string[]) {
    const kind = KINDS.find((candidate) => candidate.name === name);
    if (kind === undefined)
      throw new Error(`There is no ${name}; there are ${KINDS.map((one) => one.name).join(", ")}`);
    const result = await overload({ ...kind, seconds: minutes * 60, calmSeconds: 5, factor }, console.log);
    console.log(report(result));
    for (const problem of problems(result, BOUNDS)) {
      console.error(`  PROBLEM: ${problem}`);
      failed = true;
    }
  }
  return failed ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
