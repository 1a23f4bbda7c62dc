/**
 * The commands for those who operate a server.
 *
 * @module
 */
import { Argument, type Command } from "commander";
import { duration, integer } from "./arguments.ts";
import { destructive, does, examples, onServer } from "./command.ts";

/** Adds top, bench, doctor, backup, restore and completion. */
export function addOperateCommands(program: Command): void {
  addWatching(program);
  addDatabase(program);
  does(
    examples(
      program
        .command("completion")
        .summary("print a completion script for a shell")
        .description("Prints a script that completes commands and options, for the shell to read.")
        .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"])),
      ["source <(queen completion bash)", "in ~/.bashrc"],
      ["queen completion zsh > ~/.zfunc/_queen", "in a folder of $fpath"],
      ["queen completion fish > ~/.config/fish/completions/queen.fish", "for fish"],
    ),
    async () => {
      const { completion } = await import("./completion.ts");
      return ({ args }) => completion(program, args[0]!);
    },
  );
}

function addWatching(program: Command): void {
  does(
    examples(
      onServer(program.command("top").summary("watch a server"))
        .description("Shows rates, counts and the busiest queues, again and again, until q or Ctrl-C.")
        .option("-i, --interval <time>", "look so often", duration, 2_000)
        .option("-n, --count <count>", "look so many times, then end", integer(1)),
      ["queen top", "live on a terminal"],
      ["queen top --count 1 --json", "once, as JSON"],
    ),
    async () => (await import("./top.ts")).top,
  );
  does(
    examples(
      onServer(program.command("bench").summary("measure a server with pushes, pops and acks"))
        .description(
          "Pushes messages to a queue of its own, pops and acknowledges them, checks that each arrived once and in order, and says how long it took. The queue is deleted afterwards. It shares the machine with the server when both run on one.",
        )
        .option("-n, --messages <count>", "messages", integer(1, 10_000_000), 20_000)
        .option("--seconds <count>", "push no longer than so many seconds", integer(1, 3_600), 10)
        .option("--batch <count>", "messages a request", integer(1, 10_000), 100)
        .option("--size <bytes>", "bytes of a payload, about", integer(1, 1_000_000), 100)
        .option("--partitions <count>", "partitions", integer(1, 10_000), 10)
        .option("-c, --connections <count>", "producers, and as many consumers", integer(1, 256), 4)
        .option("--keep", "leave the queue"),
      ["queen bench", "20,000 messages of 100 bytes, at most 10 seconds"],
      ["queen bench -n 1000 --batch 1 -c 16", "single messages from 16 producers"],
    ),
    async () => (await import("./bench.ts")).bench,
  );
}

function addDatabase(program: Command): void {
  does(
    examples(
      onServer(program.command("doctor").summary("check settings, database and server"))
        .description(
          "Checks the settings of this environment, the database they name, and the server; says what to change. It changes nothing, and starts nothing. Ends with 1 when something is broken.",
        )
        .option("--no-server", "do not ask the server"),
      ["queen doctor", "with the environment the server has"],
      ["queen doctor --json | jq '.checks[] | select(.state != \"ok\")'", "what is not well"],
    ),
    async () => (await import("./doctor.ts")).doctor,
  );
  does(
    examples(
      program
        .command("backup")
        .summary("write all queue data to one file")
        .description(
          "Writes queues, messages, cursors, dead letters, traces and the state of streams to one file, as they stand at one moment, while servers go on. Reads the database that the environment names, the embedded one included, running or not. Pushes that a server holds in its spool, and samples for analytics, are not in it.",
        )
        .argument("<file>", "made anew; an existing one is replaced at the end")
        .option("--json", "print JSON instead of text")
        .option("--no-progress", "no progress bar"),
      ["queen backup orders.queen", "the embedded database of this user"],
      ["DATABASE_URL=postgres://queen@db/queen queen backup /backups/$(date +%F).queen", "one of your own"],
    ),
    async () => (await import("./backup.ts")).backup,
  );
  does(
    examples(
      destructive(program.command("restore").summary("load a file that backup wrote"))
        .description(
          "Checks the file, then loads it into the database that the environment names, in one transaction: all of it or nothing. Servers on that database must be stopped. A database that holds queues is refused, unless --force replaces them.",
        )
        .argument("<file>")
        .option("--force", "replace the queues that are there")
        .option("--check", "only check the file")
        .option("--json", "print JSON instead of text")
        .option("--no-progress", "no progress bar"),
      ["queen restore orders.queen --check", "is the file whole?"],
      ["queen restore orders.queen", "into an empty database"],
    ),
    async () => (await import("./restore.ts")).restore,
  );
}
