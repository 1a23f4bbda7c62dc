/**
 * The commands on queues and consumer groups.
 *
 * @module
 */
import type { Command } from "commander";
import { boolean, instant, integer } from "./arguments.ts";
import { destructive, does, examples, onServer } from "./command.ts";
import { QUEUE_OPTIONS } from "./queue-options.ts";

/** Adds queues, queue, groups, group and seek. */
export function addQueueCommands(program: Command): void {
  does(
    examples(
      onServer(
        program.command("queues").summary("list queues").description("Lists queues with their counts, newest first."),
      )
        .option("--namespace <name>", "of this namespace only")
        .option("--task <name>", "of this task only")
        .option("-n, --limit <count>", "at most", integer(1, 10_000), 1_000),
      ["queen queues", "all of them"],
      ["queen queues --json | jq -r '.queues[].name'", "their names"],
    ),
    async () => (await import("./queues.ts")).queues,
  );
  addQueue(program.command("queue").summary("configure, show, clear or delete a queue"));
  addGroups(program);
}

function addQueue(queue: Command): void {
  const configure = onServer(
    queue
      .command("configure")
      .summary("make a queue, or change its options")
      .description("Makes a queue, or changes the options that are given; the others stay as they are.")
      .argument("<queue>")
      .option("--namespace <name>", "namespace")
      .option("--task <name>", "task")
      .option("--reset", "options that are not given go back to their defaults"),
  );
  for (const { option, kind, unit, help } of QUEUE_OPTIONS) {
    const flag = option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const text = unit === "" ? help : `${help}, in ${unit}`;
    if (kind === "boolean") configure.option(`--${flag} <true|false>`, text, boolean);
    else
      configure.option(`--${flag} <number>`, text, integer(option === "priority" ? -2_147_483_648 : 0, 2_147_483_647));
  }
  does(
    examples(
      configure,
      ["queen queue configure orders --lease-time 60 --retry-limit 5", "make it, or change two options"],
      ["queen queue configure logs --retention-enabled true --retention-seconds 86400", "keep a day"],
    ),
    async () => (await import("./queues.ts")).configure,
  );
  does(
    examples(
      onServer(
        queue.command("show").summary("show a queue").description("Shows counts, options and partitions of a queue."),
      )
        .argument("<queue>")
        .option("-n, --limit <count>", "partitions at most", integer(1, 10_000), 100),
      ["queen queue show orders", "all about it"],
    ),
    async () => (await import("./queues.ts")).show,
  );
  does(
    examples(
      destructive(onServer(queue.command("clear").summary("delete the messages of a queue")))
        .description(
          "Deletes the messages of a queue, or of one partition; the queue, its options and its groups stay.",
        )
        .argument("<queue>")
        .option("-p, --partition <name>", "of this partition only"),
      ["queen queue clear orders", "asks first"],
      ["queen queue clear orders --partition c-42 --yes", "one partition, without being asked"],
    ),
    async () => (await import("./queues.ts")).clear,
  );
  does(
    examples(
      destructive(onServer(queue.command("delete").summary("delete a queue and everything in it")))
        .description("Deletes a queue with its messages, consumer groups and dead letters.")
        .argument("<queue>"),
      ["queen queue delete orders", "asks first"],
    ),
    async () => (await import("./queues.ts")).remove,
  );
}

function addGroups(program: Command): void {
  does(
    examples(
      onServer(program.command("groups").summary("list consumer groups"))
        .description("Lists consumer groups with how far they are behind, a line for each group and queue.")
        .option("-q, --queue <name>", "of this queue only"),
      ["queen groups", "all of them"],
      ["queen groups --queue orders", "who consumes it"],
    ),
    async () => (await import("./groups.ts")).groups,
  );
  const group = program.command("group").summary("show or delete a consumer group");
  does(
    examples(
      onServer(group.command("show").summary("show where a group stands"))
        .description(
          "Shows the cursors of a group, partition by partition. The consumers without a group are called (none).",
        )
        .argument("<group>")
        .option("-q, --queue <name>", "on this queue only")
        .option("-n, --limit <count>", "partitions at most", integer(1, 10_000), 1_000),
      ["queen group show billing", "on every queue"],
    ),
    async () => (await import("./groups.ts")).show,
  );
  does(
    examples(
      destructive(onServer(group.command("delete").summary("forget a group")))
        .description("Forgets a consumer group: when it comes back it begins anew.")
        .argument("<group>")
        .option("-q, --queue <name>", "on this queue only"),
      ["queen group delete billing --queue orders", "asks first"],
    ),
    async () => (await import("./groups.ts")).remove,
  );
  does(
    examples(
      destructive(onServer(program.command("seek").summary("move the cursors of a group")))
        .description("Moves the cursors of a group on a queue, after it said what that skips and delivers again.")
        .argument("<queue>")
        .argument("<group>", "(none) for the consumers without a group")
        .option("--to-end", "skip what is there")
        .option("--to-start", "deliver all again")
        .option("--to <time>", "go on with what came after this time (2h, or 2026-05-16T10:00:00Z)", instant)
        .option("-p, --partition <name>", "this partition only, and only to the end")
        .option("--dry-run", "only say what would be skipped and delivered again"),
      ["queen seek orders billing --to 2h --dry-run", "what going back two hours would deliver again"],
      ["queen seek orders billing --to-end --yes", "skip everything, without being asked"],
    ),
    async () => (await import("./groups.ts")).seek,
  );
}
