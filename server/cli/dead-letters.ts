/**
 * `queen dlq list | redrive | delete`.
 *
 * @module
 */
import { type Client, type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { confirm } from "./confirm.ts";
import { Exit } from "./exit.ts";
import { count, counted, harmless, note, print, printJson, shortJson, table } from "./output.ts";
import { startProgress } from "./progress.ts";

/** Options of the commands on dead letters. */
export interface DeadLetterOptions {
  readonly partition?: string;
  readonly group?: string;
  readonly since?: string;
  readonly until?: string;
  readonly error?: string;
  readonly transactionId?: string;
  readonly limit: number;
  readonly progress?: boolean;
}

const PAGE = 1_000;
const AT_ONCE = 8;
const SHOWN_ERRORS = 5;

/** Lists dead letters. @returns `nothing` when none matches. */
export async function list({ args, options, client }: Invocation<DeadLetterOptions>): Promise<number> {
  const { letters, total } = await find(client, args[0], options);
  if (options.json) await printJson({ messages: letters, total });
  else if (letters.length > 0) {
    const titles = ["FAILED", "QUEUE", "PARTITION", "GROUP", "RETRIES", "ERROR", "PAYLOAD", "TRANSACTION ID"];
    const rows = letters.map((row) => [
      row.failedAt,
      row.queue,
      row.partition,
      groupName(row.consumerGroup),
      String(row.retryCount),
      shorten(row.errorMessage),
      shortJson(row.data, 40),
      row.transactionId,
    ]);
    await print(
      table(
        titles.map((title) => ({ title, right: title === "RETRIES" })),
        rows,
      ),
    );
    if (total !== null && total > letters.length) note(`${count(total)} in all; --limit shows more.`);
  } else note("No dead letters.");
  return letters.length > 0 ? Exit.ok : Exit.nothing;
}

/** Delivers dead letters again. @returns `failed` when any could not be. */
export async function redrive(invocation: Invocation<DeadLetterOptions>): Promise<number> {
  return await each(invocation, {
    ask: (letters) => `${letters} will be delivered again.`,
    done: "redriven",
    carryOut: async (client, letter) => {
      const answer = await client.post(
        `${pathOf("/api/v1/messages", letter.partitionId, letter.transactionId)}/retry`,
        {},
      );
      return answer.retried === true ? null : String(answer.error);
    },
  });
}

/** Deletes dead letters with their messages. @returns `failed` when any could not be. */
export async function remove(invocation: Invocation<DeadLetterOptions>): Promise<number> {
  return await each(invocation, {
    ask: (letters) => `${letters} will be deleted, for every group, and cannot be brought back.`,
    done: "deleted",
    carryOut: async (client, letter) => {
      const answer = await client.delete(pathOf("/api/v1/messages", letter.partitionId, letter.transactionId));
      return answer.success === true ? null : String(answer.message);
    },
  });
}

interface Work {
  /** What will happen to them; `letters` says how many of what. */
  ask(letters: string): string;
  done: string;
  /** Null when it went well, else why not. */
  carryOut(client: Client, letter: Json): Promise<string | null>;
}

async function each({ args, options, client }: Invocation<DeadLetterOptions>, work: Work): Promise<number> {
  // Found before the first is touched: one that fails again meanwhile is not taken twice.
  const { letters } = await find(client, args[0], options);
  const messages = [...new Map(letters.map((row) => [`${row.partitionId} ${row.transactionId}`, row])).values()];
  if (messages.length === 0) {
    if (options.json) await printJson({ [work.done]: 0, failed: 0 });
    else note("No dead letters.");
    return Exit.nothing;
  }
  const place = args[0] === undefined ? "of all queues" : `of ${args[0]}`;
  const what = `${counted(messages.length, "dead letter")} ${place}`;
  await confirm(options, work.ask(what), args[0] ?? "all");
  const progress = await startProgress("messages", options.progress !== false && !options.json);
  const errors: string[] = [];
  let done = 0;
  try {
    for (let at = 0; at < messages.length; at += AT_ONCE) {
      const outcomes = await Promise.all(
        messages.slice(at, at + AT_ONCE).map((letter) => work.carryOut(client, letter)),
      );
      for (const error of outcomes) {
        if (error === null) done += 1;
        else errors.push(error);
      }
      progress.set(done + errors.length, messages.length);
    }
  } finally {
    progress.stop();
  }
  if (options.json) await printJson({ [work.done]: done, failed: errors.length, errors: [...new Set(errors)] });
  else await print(`${count(done)} ${work.done}${errors.length > 0 ? `, ${count(errors.length)} failed` : ""}`);
  if (!options.json) for (const error of [...new Set(errors)].slice(0, SHOWN_ERRORS)) note(`queen: ${harmless(error)}`);
  return errors.length > 0 ? Exit.failed : Exit.ok;
}

/** Dead letters that match, up to the limit; `total` is null when the server was not asked for exactly these. */
async function find(
  client: Client,
  queue: string | undefined,
  options: DeadLetterOptions,
): Promise<{ letters: Json[]; total: number | null }> {
  const { partition, group, since, until, error, transactionId, limit } = options;
  const picks = (row: Json) =>
    (error === undefined || String(row.errorMessage).includes(error)) &&
    (transactionId === undefined || row.transactionId === transactionId);
  const picky = error !== undefined || transactionId !== undefined;
  const letters: Json[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = picky ? PAGE : Math.min(PAGE, limit - letters.length);
    const query = { queue, partition, consumerGroup: group, from: since, to: until, limit: page, offset };
    const answer = await client.get("/api/v1/dlq", query);
    letters.push(...(answer.messages as Json[]).filter(picks));
    if (answer.messages.length < page || letters.length >= limit) {
      return { letters: letters.slice(0, limit), total: picky ? null : answer.total };
    }
  }
}

/** How the group of consumers without a group is shown. */
export function groupName(name: string): string {
  return name === "__QUEUE_MODE__" ? "(none)" : name;
}

function shorten(text: string): string {
  return text.length <= 50 ? text : `${text.slice(0, 49)}…`;
}
