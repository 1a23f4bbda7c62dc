/**
 * The commands on messages.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { duration, instant, integer } from "./arguments.ts";
import { destructive, does, examples, onServer } from "./command.ts";

/** Adds push, pop, ack, tail, messages, message and dlq. */
export function addMessageCommands(program: Command): void {
  addPush(program);
  addPop(program);
  addTail(program);
  addMessages(program);
  addDeadLetters(program);
}

function addPush(program: Command): void {
  const push = onServer(
    program
      .command("push")
      .summary("append messages to a queue")
      .description("Appends messages: one as an argument, or one a line (NDJSON) from a file or stdin.")
      .argument("<queue>", "made when it is not there")
      .argument("[payload]", "JSON; without it lines are read from stdin")
      .option("-p, --partition <name>", "partition", "Default")
      .option("-f, --file <path>", "file with one payload a line; - is stdin")
      .option("--text", "payloads are plain text, not JSON")
      .option("--items", "lines are {payload, partition?, transactionId?, traceId?} instead of payloads alone")
      .option("--transaction-id <id>", "id of the one message, by which a repetition is recognised")
      .option("--batch <count>", "messages a request", integer(1, 10_000), 500)
      .option("--no-progress", "no progress bar"),
  );
  does(
    examples(
      push,
      [`queen push orders '{"id":1}'`, "one message"],
      ["queen push orders --partition c-42 --text hello", "plain text, to a partition of its own"],
      ["queen push orders --file orders.ndjson", "a message for each line"],
      ["queen pop orders --json | jq -c .data | queen push copies", "from a pipe"],
    ),
    async () => (await import("./push.ts")).push,
  );
}

function addPop(program: Command): void {
  const pop = onServer(
    program
      .command("pop")
      .summary("take messages from a queue")
      .description(
        "Takes messages, prints them and acknowledges them. With --no-ack they stay leased and come back when the lease ends, unless `queen ack` is told of the lease.",
      )
      .argument("<queue>")
      .option("-p, --partition <name>", "from this partition only")
      .option("-g, --group <name>", "consumer group; without it, the consumers without a group")
      .option("-n, --batch <count>", "messages at most", integer(1, 10_000), 1)
      .option("--partitions <count>", "partitions at most", integer(1, 10_000))
      .option("-w, --wait <time>", "wait so long for messages, such as 30s", duration)
      .option("--no-ack", "leave them leased")
      .option("--new", "a group that is new to the queue begins with what comes from now on")
      .option("--raw", "print payloads only"),
  );
  does(
    examples(
      pop,
      ["queen pop orders", "the next message"],
      ["queen pop orders -n 100 --group billing --json", "a hundred as JSON, one a line"],
      ["queen pop orders --wait 1m --no-ack", "wait for one, and keep it leased"],
    ),
    async () => (await import("./pop.ts")).pop,
  );
  const ack = onServer(
    program
      .command("ack")
      .summary("say what became of the messages of a lease")
      .description("Answers for every message that is still open under a lease that `queen pop --no-ack` took.")
      .argument("<lease>", "its id, as pop prints it")
      .addOption(
        new Option("--status <status>", "what became of them")
          .choices(["completed", "failed", "retry", "dlq"])
          .default("completed"),
      )
      .option("--error <text>", "why they failed"),
  );
  does(
    examples(
      ack,
      ["queen ack 00000001-0000-8000-8000-5f0c6a2e9b11", "all are done"],
      ['queen ack 00000001-0000-8000-8000-5f0c6a2e9b11 --status failed --error "no stock"', "an attempt failed"],
    ),
    async () => (await import("./pop.ts")).ack,
  );
}

function addTail(program: Command): void {
  const tail = onServer(
    program
      .command("tail")
      .summary("follow a queue without consuming")
      .description(
        "Prints messages as they arrive. It lists and reads messages and is no consumer: it makes no group, leases nothing, and nobody gets fewer messages because of it. Ends with Ctrl-C.",
      )
      .argument("<queue>")
      .option("-p, --partition <name>", "of this partition only")
      .option("--since <time>", "begin so long ago (10m), or at a time", instant)
      .option("-n, --count <count>", "end after so many", integer(1))
      .option("--interval <time>", "look so often", duration, 500)
      .option("--no-payload", "without payloads, which are read one by one")
      .option("--raw", "print payloads only"),
  );
  does(
    examples(
      tail,
      ["queen tail orders", "what arrives from now on"],
      ["queen tail orders --since 10m --json", "the last ten minutes, and on, as JSON"],
    ),
    async () => (await import("./tail.ts")).tail,
  );
}

function addMessages(program: Command): void {
  const list = onServer(
    program
      .command("messages")
      .summary("list messages, newest first")
      .description(
        "Lists messages without their payloads, newest first; of the last hour unless --since says otherwise.",
      )
      .argument("[queue]", "of this queue only")
      .option("-p, --partition <name>", "of this partition only")
      .addOption(
        new Option("--status <status>", "of this state only").choices([
          "pending",
          "processing",
          "completed",
          "dead_letter",
        ]),
      )
      .option("--namespace <name>", "of queues of this namespace")
      .option("--task <name>", "of queues of this task")
      .option("--since <time>", "not older than (10m, or a time)", instant)
      .option("--until <time>", "not newer than", instant)
      .option("-n, --limit <count>", "at most", integer(1, 10_000), 50)
      .option("--offset <count>", "pass over so many", integer(0), 0),
  );
  does(
    examples(
      list,
      ["queen messages orders --status pending --since 1d", "what waits"],
      ["queen messages --limit 10", "the last ten of all queues"],
    ),
    async () => (await import("./messages.ts")).messages,
  );
  const message = onServer(
    program
      .command("message")
      .summary("show one message with its payload")
      .description("Shows a message, with what became of it.")
      .argument("<partition-id>")
      .argument("<transaction-id>"),
  );
  does(
    examples(message, [
      "queen message 00000001-0000-8000-8000-000000000001 order-17",
      "ids as `queen messages --json` has them",
    ]),
    async () => (await import("./messages.ts")).message,
  );
}

function addDeadLetters(program: Command): void {
  const dlq = program.command("dlq").summary("look at dead letters, deliver them again, delete them");
  const filtered = (command: Command): Command =>
    onServer(command)
      .argument("[queue]", "of this queue only")
      .option("-p, --partition <name>", "of this partition only")
      .option("-g, --group <name>", "of this consumer group only")
      .option("--since <time>", "failed not before (10m, or a time)", instant)
      .option("--until <time>", "failed not after", instant)
      .option("--error <text>", "whose error contains this text")
      .option("--transaction-id <id>", "of this transaction id only");
  does(
    examples(
      filtered(dlq.command("list").summary("list dead letters, latest failure first"))
        .description("Lists dead letters with their payloads, latest failure first.")
        .option("-n, --limit <count>", "at most", integer(1, 10_000), 50),
      ["queen dlq list orders", "those of a queue"],
      ["queen dlq list --error timeout --since 1d --json", "whose error says timeout"],
    ),
    async () => (await import("./dead-letters.ts")).list,
  );
  does(
    examples(
      destructive(filtered(dlq.command("redrive").summary("deliver dead letters again")))
        .description("Puts dead letters back, to be delivered again to the groups that gave them up.")
        .option("-n, --limit <count>", "at most", integer(1, 100_000), 100_000)
        .option("--no-progress", "no progress bar"),
      ["queen dlq redrive orders", "all of a queue; asks first"],
      ["queen dlq redrive orders --group billing --error timeout --yes", "some, without being asked"],
    ),
    async () => (await import("./dead-letters.ts")).redrive,
  );
  does(
    examples(
      destructive(filtered(dlq.command("delete").summary("delete dead letters and their messages")))
        .description("Deletes the messages of dead letters, for every group.")
        .option("-n, --limit <count>", "at most", integer(1, 100_000), 100_000)
        .option("--no-progress", "no progress bar"),
      ["queen dlq delete orders --until 30d", "those that failed over 30 days ago; asks first"],
    ),
    async () => (await import("./dead-letters.ts")).remove,
  );
}
