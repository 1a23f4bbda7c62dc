/** docs/cli.md says what the commands say, and the scripts for shells know them all. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { completionScript } from "../../../server/cli/completion.ts";
import { buildProgram } from "../../../server/cli/program.ts";
import { cliDocument, commandsOf } from "../../../server/cli-document.ts";
import { queen } from "../../support/cli.ts";

setDefaultTimeout(120_000);
const ROOT = join(import.meta.dirname, "../../..");
const text = readFileSync(join(ROOT, "docs/cli.md"), "utf8");
const commands = commandsOf(buildProgram());

test("the reference is that of the commands: bun run docs:cli", () => {
  expect(cliDocument(text)).toBe(text);
});

test("every command that talks to a server takes --url, --token and --json, has examples, and describes itself", () => {
  const own = new Set(["serve", "migrate", "completion", "backup", "restore"]);
  for (const { words, command } of commands) {
    const flags = command.options.map(({ long }) => long);
    if (!own.has(words)) expect(flags, words).toEqual(expect.arrayContaining(["--url", "--token", "--json"]));
    expect(command.description(), words).not.toBe("");
    if (words !== "serve" && words !== "migrate")
      expect(text, words).toMatch(new RegExp(`### queen ${words}\n[\\s\\S]*?Examples:`));
  }
  expect(commands.length).toBeGreaterThan(20);
});

describe("completion", () => {
  test.each(["bash", "zsh", "fish"])("%s knows every command and option", async (shell) => {
    const script = completionScript(buildProgram(), shell);
    expect((await queen(["completion", shell])).out).toBe(`${script}\n`);
    for (const { words, command } of commands) {
      expect(script).toContain(words.split(" ").at(-1)!);
      for (const { long } of command.options)
        expect(script, words).toContain(shell === "fish" ? `-l ${long!.slice(2)}` : long!);
    }
  });

  test.each([
    [
      ["queen", "d"],
      ["dlq", "doctor"],
    ],
    [["queen", "queue", "con"], ["configure"]],
    [
      ["queen", "dlq", ""],
      ["list", "redrive", "delete"],
    ],
    [["queen", "queue", "configure", "orders", "--lease"], ["--lease-time"]],
    [["queen", "completion", "z"], ["zsh"]],
    [
      ["queen", "messages", "--status", "p"],
      ["pending", "processing"],
    ],
    [
      ["queen", "ack", "--status", ""],
      ["completed", "failed", "retry", "dlq"],
    ],
  ])("bash completes %j", (words, expected) => {
    const program = `eval "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _queen; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const run = spawnSync("bash", ["-c", program, completionScript(buildProgram(), "bash"), ...words], {
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    expect(run.stdout.trim().split("\n")).toEqual(expected);
  });
});
