/**
 * `queen groups`, `queen group show | delete` and `queen seek`.
 *
 * @module
 */
import { type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { confirm } from "./confirm.ts";
import { groupName } from "./dead-letters.ts";
import { CliError, Exit } from "./exit.ts";
import { bold, count, counted, harmless, note, print, printJson, seconds, table } from "./output.ts";

const RIGHT = (title: string) => ({ title, right: true });
/** Before any message there can be: a seek to it delivers everything again. */
const START = "1970-01-01T00:00:00Z";

/** Lists consumer groups, of one queue or of all. */
export async function groups({ options, client }: Invocation<{ queue?: string }>): Promise<number> {
  const all: Json[] = (await client.get("/api/v1/consumer-groups")) ?? [];
  const found = all.filter((row) => options.queue === undefined || row.queueName === options.queue);
  if (options.json) await printJson(found);
  else if (found.length === 0) note("No consumer groups. One is made by its first pop.");
  else {
    const columns = [
      { title: "GROUP" },
      { title: "QUEUE" },
      RIGHT("PENDING"),
      RIGHT("LAG"),
      RIGHT("PARTITIONS"),
      RIGHT("BEHIND"),
      { title: "STATE" },
      { title: "BEGINS" },
    ];
    const rows = found.map((row) => [
      groupName(row.name),
      row.queueName,
      count(row.pendingMessages),
      seconds(row.maxTimeLag),
      count(row.members),
      count(row.partitionsWithLag),
      row.state,
      row.subscriptionMode === null ? "all" : `${row.subscriptionMode} ${row.subscriptionTimestamp}`,
    ]);
    await print(table(columns, rows));
  }
  return Exit.ok;
}

/** Shows where a group stands, partition by partition. @returns `nothing` when there is no such group. */
export async function show({ args, options, client }: Invocation<{ queue?: string; limit: number }>): Promise<number> {
  const group = groupKey(args[0]!);
  const answer: Json = (await client.get(pathOf("/api/v1/consumer-groups", group), { limit: options.limit })) ?? {};
  const queues = Object.entries<Json>(answer).filter(([name]) => options.queue === undefined || name === options.queue);
  if (options.json) await printJson(Object.fromEntries(queues));
  if (queues.length === 0) {
    if (!options.json) note(`queen: There is no group ${harmless(args[0]!)}${options.queue ? " there" : ""}.`);
    return Exit.nothing;
  }
  if (options.json) return Exit.ok;
  for (const [queue, { partitions, total }] of queues) {
    await print(bold(harmless(queue)));
    const columns = [
      { title: "PARTITION" },
      RIGHT("PENDING"),
      RIGHT("LAG"),
      RIGHT("CONSUMED"),
      { title: "LEASED" },
      { title: "LAST CONSUMED" },
    ];
    const rows = (partitions as Json[]).map((row) => [
      row.partition,
      count(row.offsetLag),
      seconds(row.timeLagSeconds),
      count(row.totalConsumed),
      row.leaseActive ? "yes" : "no",
      row.lastConsumedAt ?? "-",
    ]);
    await print(table(columns, rows));
    if (total > rows.length) note(`${counted(total, "partition")} in all; --limit shows more.`);
  }
  return Exit.ok;
}

/** Forgets a group. @returns `nothing` when there was none. */
export async function remove({ args, options, client }: Invocation<{ queue?: string }>): Promise<number> {
  const group = groupKey(args[0]!);
  const all: Json[] = (await client.get("/api/v1/consumer-groups")) ?? [];
  const known = all.filter(
    (row) => row.name === group && (options.queue === undefined || row.queueName === options.queue),
  );
  if (known.length === 0) {
    if (options.json) await printJson({ error: "Group not found" });
    else
      note(`queen: There is no group ${harmless(args[0]!)}${options.queue ? ` on ${harmless(options.queue)}` : ""}.`);
    return Exit.nothing;
  }
  const where = options.queue === undefined ? `on ${counted(known.length, "queue")}` : `on ${options.queue}`;
  await confirm(options, `Group ${args[0]} ${where} will be forgotten: when it comes back it begins anew.`, args[0]!);
  const path = pathOf("/api/v1/consumer-groups", group);
  const answer = await client.delete(options.queue === undefined ? path : pathOf(`${path}/queues`, options.queue));
  if (options.json) await printJson(answer);
  else await print(`Deleted ${harmless(args[0]!)} with ${counted(answer.deletedPartitions, "cursor")}`);
  return Exit.ok;
}

/** Options of seek. */
export interface SeekOptions {
  readonly toEnd?: boolean;
  readonly toStart?: boolean;
  readonly to?: string;
  readonly partition?: string;
  readonly dryRun?: boolean;
}

/** Moves the cursors of a group, after it said what that skips and delivers again. @returns `nothing` when it has none there. */
export async function seek({ args, options, client }: Invocation<SeekOptions>): Promise<number> {
  const [queue, typed] = args as [string, string];
  const group = groupKey(typed);
  if ([options.toEnd, options.toStart, options.to].filter((given) => given !== undefined).length !== 1) {
    throw new CliError("Say where to: one of --to-end, --to-start and --to <time>.", Exit.usage);
  }
  const timestamp = options.toStart ? START : options.to;
  const path = `${pathOf("/api/v1/consumer-groups", group, "queues", queue)}`;
  if (options.partition !== undefined) {
    if (!options.toEnd) throw new CliError("One partition alone can be moved to the end only: --to-end.", Exit.usage);
    if (options.dryRun) throw new CliError("--dry-run is for whole queues.", Exit.usage);
    await confirm(options, `What ${typed} has not consumed of ${queue}/${options.partition} will be skipped.`, typed);
    const answer = await client.post(`${pathOf(`${path}/partitions`, options.partition)}/seek`, {});
    if (options.json) await printJson(answer);
    else if (answer.updated) await print(`Moved to the end of ${harmless(options.partition)}`);
    else note(`queen: ${harmless(answer.error ?? "The group has no cursor there.")}`);
    return answer.updated ? Exit.ok : Exit.nothing;
  }
  const preview = await client.get(`${path}/seek`, timestamp === undefined ? { toEnd: true } : { timestamp });
  const effect = `${counted(preview.skipped, "message")} will be skipped and ${count(preview.replayed)} delivered again, in ${counted(preview.partitions, "partition")}; ${count(preview.pending)} will be pending.`;
  if (preview.partitions === 0 || options.dryRun) {
    if (options.json) await printJson({ dryRun: true, ...preview });
    else if (preview.partitions === 0) note(`queen: ${harmless(typed)} has no cursors on ${harmless(queue)}.`);
    else await print(effect);
    return preview.partitions === 0 ? Exit.nothing : Exit.ok;
  }
  if (!options.json) note(effect);
  await confirm(options, `Move ${typed} on ${queue}?`, typed);
  const answer = await client.post(`${path}/seek`, timestamp === undefined ? { toEnd: true } : { timestamp });
  if (options.json) await printJson({ ...answer, skipped: preview.skipped, replayed: preview.replayed });
  else await print(`Moved ${counted(answer.partitionsUpdated, "cursor")} of ${harmless(typed)}`);
  return Exit.ok;
}

/** The name the API has for a group, from how it is shown. */
function groupKey(typed: string): string {
  return typed === "(none)" ? "__QUEUE_MODE__" : typed;
}
