/**
 * `queen queues` and `queen queue configure | show | clear | delete`.
 *
 * @module
 */
import { type Client, type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { confirm } from "./confirm.ts";
import { Exit } from "./exit.ts";
import { bold, count, counted, harmless, note, pairs, print, printJson, table } from "./output.ts";
import { QUEUE_OPTIONS } from "./queue-options.ts";

/** Options of queues. */
export interface QueuesOptions {
  readonly namespace?: string;
  readonly task?: string;
  readonly limit: number;
}

const RIGHT = (title: string) => ({ title, right: true });

/** Lists queues. */
export async function queues({ options, client }: Invocation<QueuesOptions>): Promise<number> {
  const { namespace, task, limit } = options;
  const answer = await client.get("/api/v1/resources/queues", { namespace, task, limit });
  if (options.json) {
    await printJson(answer);
    return Exit.ok;
  }
  const found: Json[] = answer.queues;
  if (found.length === 0) {
    note("No queues. One is made by the first push: queen push orders '{\"id\":1}'");
    return Exit.ok;
  }
  const columns = [
    { title: "QUEUE" },
    { title: "NAMESPACE" },
    { title: "TASK" },
    RIGHT("PARTITIONS"),
    RIGHT("MESSAGES"),
    RIGHT("PENDING"),
    RIGHT("PROCESSING"),
  ];
  const rows = found.map(({ name, namespace: space, task: job, partitions, messages }) => [
    name,
    space || "-",
    job || "-",
    count(partitions),
    count(messages.total),
    count(messages.pending),
    count(messages.processing),
  ]);
  await print(table(columns, rows));
  if (answer.total > found.length) note(`${count(answer.total)} in all; --limit shows more.`);
  return Exit.ok;
}

/** Options of configure: the fields of the API by name, and those of the queue. */
export type ConfigureOptions = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes a queue, or changes what is given of one that is there. */
export async function configure({ args, options, client }: Invocation<ConfigureOptions>): Promise<number> {
  const name = args[0]!;
  const now = options.reset === true ? null : await statusOf(client, name);
  const changed: Record<string, unknown> = {};
  for (const { option } of QUEUE_OPTIONS) if (options[option] !== undefined) changed[option] = options[option];
  // What was never given stays so: giving the default would make it do something.
  const kept = Object.entries(now?.queue.options ?? {}).filter(([, value]) => value !== null);
  const answer = await client.post(
    "/api/v1/configure",
    {
      queue: name,
      namespace: options.namespace ?? now?.queue.namespace,
      task: options.task ?? now?.queue.task,
      options: { ...Object.fromEntries(kept), ...changed },
    },
    { again: true },
  );
  if (options.json) await printJson(answer);
  else {
    await print(`${now === null ? "Configured" : "Changed"} ${harmless(name)}`);
    await print(optionsText((await statusOf(client, name)) ?? { queue: answer }));
  }
  return Exit.ok;
}

/** Shows a queue with its options and partitions. @returns `nothing` when there is none. */
export async function show({ args, options, client }: Invocation<{ limit: number }>): Promise<number> {
  const name = args[0]!;
  const answer = await statusOf(client, name, options.limit);
  if (answer === null) return await missing(name, options.json);
  if (options.json) {
    await printJson(answer);
    return Exit.ok;
  }
  const { queue, totals, partitions } = answer;
  await print(bold(harmless(queue.name)));
  await print(
    pairs([
      ["namespace", queue.namespace || "-"],
      ["task", queue.task || "-"],
      ["created", queue.createdAt],
      ["messages", count(totals.total)],
      ["pending", count(totals.pending)],
      ["processing", count(totals.processing)],
      ["completed", count(totals.completed)],
      ["dead letters", count(totals.deadLetter)],
    ]),
  );
  await print(`\n${bold("Options")}\n${optionsText(answer)}`);
  await print(`\n${bold("Partitions")}`);
  const columns = [
    { title: "PARTITION" },
    RIGHT("MESSAGES"),
    RIGHT("PENDING"),
    RIGHT("PROCESSING"),
    RIGHT("DEAD"),
    { title: "LAST ACTIVITY" },
  ];
  const rows = (partitions as Json[]).map(({ name: partition, messages, lastActivity }) => [
    partition,
    count(messages.total),
    count(messages.pending),
    count(messages.processing),
    count(messages.deadLetter),
    lastActivity ?? "-",
  ]);
  await print(table(columns, rows));
  if (answer.partitionCount > rows.length) note(`${count(answer.partitionCount)} in all; --limit shows more.`);
  return Exit.ok;
}

/** The options that are in effect. */
function optionsText({ queue }: Json): string {
  const given = QUEUE_OPTIONS.filter(({ option }) => queue.options[option] !== null);
  return pairs(given.map(({ option, unit }) => [option, `${queue.options[option]}${unit ? ` ${unit}` : ""}`]));
}

/** Deletes the messages of a queue or of one partition. */
export async function clear({ args, options, client }: Invocation<{ partition?: string }>): Promise<number> {
  const name = args[0]!;
  const now = await statusOf(client, name, 1);
  if (now === null) return await missing(name, options.json);
  const place = options.partition === undefined ? name : `${name}/${options.partition}`;
  const many = options.partition === undefined ? `All ${counted(now.totals.total, "message")}` : "All messages";
  await confirm(options, `${many} of ${place} will be deleted and cannot be brought back.`, name);
  const answer = await client.delete(`${pathOf("/api/v1/queues", name)}/clear`, { partition: options.partition });
  if (options.json) await printJson(answer);
  else await print(`${counted(answer.count, "message")} deleted from ${harmless(place)}`);
  return Exit.ok;
}

/** Deletes a queue. @returns `nothing` when there was none. */
export async function remove({ args, options, client }: Invocation<object>): Promise<number> {
  const name = args[0]!;
  const now = await statusOf(client, name, 1);
  if (now === null) return await missing(name, options.json);
  const what = `The queue ${name} with its ${counted(now.totals.total, "message")}, consumer groups and dead letters`;
  await confirm(options, `${what} will be deleted and cannot be brought back.`, name);
  const answer = await client.delete(pathOf("/api/v1/resources/queues", name));
  if (options.json) await printJson(answer);
  else await print(answer.existed ? `Deleted ${harmless(name)}` : `${harmless(name)} was gone already`);
  return Exit.ok;
}

/** The status of a queue, or null when there is none. */
export async function statusOf(client: Client, name: string, limit = 1): Promise<Json | null> {
  const answer = await client.get(pathOf("/api/v1/status/queues", name), { limit });
  return answer.error === undefined ? answer : null;
}

async function missing(name: string, json: boolean | undefined): Promise<number> {
  if (json) await printJson({ error: "Queue not found" });
  else note(`queen: There is no queue ${harmless(name)}.`);
  return Exit.nothing;
}
