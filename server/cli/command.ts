/**
 * What commands have in common: the options of those that talk to a server, and how an action is carried out.
 *
 * @module
 */
import process from "node:process";
import type { Command } from "commander";
import { clientEnvironment } from "../config.ts";
import { Client, URL_DEFAULT } from "./client.ts";
import { CliError, Exit } from "./exit.ts";
import { endQuietlyWhenNobodyReads, harmless, note } from "./output.ts";

/** What an action is given. */
export interface Invocation<Options> {
  /** Arguments in their order; those that were left out are undefined. */
  readonly args: readonly (string | undefined)[];
  readonly options: Options & CommonOptions;
  /** Of the server that `--url` or `QUEEN_URL` names. */
  readonly client: Client;
}

/** Options that all commands that print have. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
  readonly yes?: boolean;
}

/** Carries a command out; the exit code, 0 when it returns nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: most actions return nothing.
export type Action<Options> = (invocation: Invocation<Options>) => Promise<number | void>;

/** Adds `--url`, `--token` and `--json`. */
export function onServer(command: Command): Command {
  return command
    .option("--url <address>", `server to talk to (QUEEN_URL; default ${URL_DEFAULT})`)
    .option("--token <token>", "token, when the server asks for one (QUEEN_TOKEN)")
    .option("--json", "print JSON instead of text");
}

/** Adds `--yes`. */
export function destructive(command: Command): Command {
  return command.option("-y, --yes", "do not ask");
}

/** Adds examples to the help: pairs of a command line and what it does. */
export function examples(command: Command, ...lines: [line: string, does: string][]): Command {
  const width = Math.max(...lines.map(([line]) => line.length));
  return command.addHelpText(
    "after",
    `\nExamples:\n${lines.map(([line, does]) => `  ${line.padEnd(width)}  # ${does}`).join("\n")}`,
  );
}

/**
 * Sets what a command does. Its code is loaded only when it is called, so that no command pays for the others.
 *
 * @remarks The process ends with it: with the code it returns, or that of the error it throws.
 */
export function does<Options>(command: Command, load: () => Promise<Action<Options>>): Command {
  return command.action(async (...given: unknown[]) => {
    given.pop();
    const options = given.pop() as Options & CommonOptions;
    endQuietlyWhenNobodyReads();
    let code: number = Exit.ok;
    try {
      const action = await load();
      const env = clientEnvironment();
      const client = new Client(options.url ?? env.url ?? URL_DEFAULT, options.token ?? env.token);
      code = (await action({ args: given as (string | undefined)[], options, client })) ?? Exit.ok;
    } catch (error) {
      code = error instanceof CliError ? error.code : Exit.failed;
      const message = error instanceof Error ? error.message : String(error);
      if (options.json === true) process.stdout.write(`${JSON.stringify({ error: message, exitCode: code })}\n`);
      note(`queen: ${message.split("\n").map(harmless).join("\n")}`);
    }
    await new Promise<void>((resolve) => {
      process.stdout.write("", () => resolve());
    });
    process.exit(code);
  });
}
