/**
 * The README says nothing that was not tried: its commands and its JavaScript run here against a server, and the
 * commands that start one are those that other files of this folder run.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { startServer } from "../support/server.ts";
import { ROOT, runProgram, temporaryFolder } from "./program.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const ADDRESS = "localhost:6632";

/** Where a command that starts something of its own is tried, in words of this folder. */
const TRIED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["npm install && npm start", "two-commands.test.ts"],
  ["npm install && npm test", "two-commands.test.ts"],
  ["bun install && bun run server", "two-commands.test.ts"],
  ["bun run test", "two-commands.test.ts"],
  ["DATABASE_URL=postgres://user:password@host/database npm start", "postgres15.test.ts"],
]);

function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))].map((match) =>
    match[1]!.trim(),
  );
}

test("every command and program in the README does what it says", async () => {
  const server = await startServer();
  const folder = temporaryFolder();
  const options = { cwd: folder, env: { PATH: process.env.PATH ?? "", HOME: folder } };
  try {
    const outputs: string[] = [];
    for (const command of blocks("sh").filter((text) => !TRIED_ELSEWHERE.has(text))) {
      expect(command).toContain(ADDRESS);
      const { code, output } = await runProgram(
        ["sh", "-c", command.replaceAll(ADDRESS, `127.0.0.1:${server.port}`)],
        options,
      );
      expect(code, output).toBe(0);
      outputs.push(output);
    }
    expect(outputs).toHaveLength(2);
    expect(outputs[0]).toContain('"status":"queued"');
    expect(outputs[1]).toContain('"data":{"total":99}');

    const [program, ...others] = blocks("js");
    expect(others).toEqual([]);
    expect(program).toContain(ADDRESS);
    const file = join(folder, "consume.mjs");
    writeFileSync(file, program!.replaceAll(ADDRESS, `127.0.0.1:${server.port}`));
    const { code, output } = await runProgram([process.execPath, "run", file], options);
    expect(code, output).toBe(0);
    // The group starts at the beginning: it also gets what the first command pushed.
    for (const line of ["total: 99", "n: 1", "n: 2"]) expect(output).toContain(line);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

test("every script, file and variable that the README names exists", () => {
  for (const [, script] of README.matchAll(/(?:bun|npm) run ([\w:]+)/g))
    expect(packageJson.scripts).toHaveProperty([script!]);
  const deno: { tasks: object } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  for (const [, task] of README.matchAll(/deno task (\w+)/g)) expect(deno.tasks).toHaveProperty([task!]);
  for (const [, path] of README.matchAll(/\]\((?!https?:)([^)]+)\)/g))
    expect(existsSync(join(ROOT, path!)), path).toBe(true);
  const variables = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
  for (const [, name] of README.matchAll(/`([A-Z][A-Z_]+)[`=]/g)) expect(variables).toContain(`\`${name}\``);
});
