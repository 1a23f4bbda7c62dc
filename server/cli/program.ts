/**
 * The command line: every command with its options, in the order in which help lists them. Only what describes them is loaded here.
 *
 * @module
 */
import process from "node:process";
import { Command, type CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import type { Flags } from "../config.ts";
import { Exit } from "./exit.ts";
import { addMessageCommands } from "./program-messages.ts";
import { addOperateCommands } from "./program-operate.ts";
import { addQueueCommands } from "./program-queues.ts";

/** What commander does with a word that is no command: says so, with what may have been meant. It lacks a type. */
type WithUnknown = Command & { unknownCommand(): never };

/** Makes the program; the caller parses. */
export function buildProgram(): Command {
  const program = new Command("queen")
    .description("A partitioned message queue over HTTP, kept in PostgreSQL.")
    .version(packageJson.version)
    .showHelpAfterError("(add --help for what there is)")
    // A wrong command line is told apart from a failure.
    .exitOverride((error: CommanderError) => process.exit(error.exitCode === 0 ? Exit.ok : Exit.usage))
    .addHelpText(
      "after",
      `
serve, migrate, backup, restore and doctor take their settings from environment variables; without DATABASE_URL or PG_HOST
an embedded PostgreSQL is used. The other commands talk to a server: --url or QUEEN_URL, and --token or QUEEN_TOKEN.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 server unreachable, 5 not allowed.`,
    );
  program
    .command("serve", { isDefault: true })
    .description("start the server (default)")
    .option("--port <number>", "port to listen on, 0 for a free one (PORT)")
    .option("--host <address>", "address to listen on (HOST)")
    // What is no command ends up here, since serving is what happens without one.
    .allowExcessArguments()
    .action(async (flags: Flags, command: Command) => {
      if (command.args.length > 0) (program as WithUnknown).unknownCommand();
      await (await import("../serve-command.ts")).serve(flags);
    });
  program
    .command("migrate")
    .description("bring the database to this version's schema, then exit")
    .action(async () => (await import("../serve-command.ts")).migrate());
  addMessageCommands(program);
  addQueueCommands(program);
  addOperateCommands(program);
  return program;
}
