/**
 * `queen messages` and `queen message`.
 *
 * @module
 */
import { type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { Exit } from "./exit.ts";
import { harmless, note, pairs, print, printJson, table } from "./output.ts";

/** Options of messages. */
export interface MessagesOptions {
  readonly partition?: string;
  readonly status?: string;
  readonly namespace?: string;
  readonly task?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
  readonly offset: number;
}

/** Lists messages. @returns `nothing` when none matches. */
export async function messages({ args, options, client }: Invocation<MessagesOptions>): Promise<number> {
  const { partition, status, namespace, task, since, until, limit, offset } = options;
  const query = { queue: args[0], partition, status, namespace, task, from: since, to: until, limit, offset };
  const answer = await client.get("/api/v1/messages", query);
  const found: Json[] = answer.messages;
  if (options.json) await printJson(answer);
  else if (found.length > 0) {
    const columns = ["CREATED", "QUEUE", "PARTITION", "STATUS", "TRANSACTION ID", "PARTITION ID"];
    await print(
      table(
        columns.map((title) => ({ title })),
        found.map((row) => [row.createdAt, row.queue, row.partition, row.status, row.transactionId, row.partitionId]),
      ),
    );
    if (found.length === limit) note(`There may be more: --limit, --offset ${offset + limit}, or --until.`);
  } else note(since === undefined ? "No messages in the last hour; --since 7d looks further back." : "No messages.");
  if (answer.incomplete) note(`Searched back to ${answer.searchedTo} only: narrow it, or go on with --until.`);
  return found.length > 0 ? Exit.ok : Exit.nothing;
}

/** Shows a message. @returns `nothing` when there is no such one. */
export async function message({ args, options, client }: Invocation<object>): Promise<number> {
  const answer = await client.get(pathOf("/api/v1/messages", args[0]!, args[1]!));
  if (options.json) await printJson(answer);
  if (answer.error !== undefined) {
    if (!options.json) note(`queen: ${harmless(String(answer.error))}`);
    return Exit.nothing;
  }
  if (options.json) return Exit.ok;
  const groups: Json[] = answer.consumerGroups ?? [];
  const shown: [string, string | null][] = [
    ["id", answer.id],
    ["transaction id", answer.transactionId],
    ["place", answer.queuePath],
    ["status", answer.status],
    ["created", answer.createdAt],
    ["leased until", answer.leaseExpiresAt],
    ["trace", answer.traceId],
    ["pushed by", answer.producerSub],
    ["error", answer.errorMessage],
    ["failures", answer.retryCount === null ? null : String(answer.retryCount)],
    ["groups", groups.map((row) => `${row.name} ${row.consumed ? "done" : "open"}`).join(", ") || null],
  ];
  await print(pairs(shown.filter((row): row is [string, string] => row[1] !== null && row[1] !== undefined)));
  await print(harmless(JSON.stringify(answer.payload, null, 2)).replaceAll("\\u000a", "\n"));
  return Exit.ok;
}
