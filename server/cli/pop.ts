/**
 * `queen pop` and `queen ack`.
 *
 * @module
 */
import { type Json, pathOf } from "./client.ts";
import type { Invocation } from "./command.ts";
import { CliError, Exit } from "./exit.ts";
import { dim, harmless, note, print, printJson } from "./output.ts";

/** Options of pop. */
export interface PopOptions {
  readonly partition?: string;
  readonly group?: string;
  readonly batch: number;
  readonly partitions?: number;
  readonly wait?: number;
  readonly ack: boolean;
  readonly new?: boolean;
  readonly raw?: boolean;
}

/** A request to the server waits no longer; a longer wait is made of several. */
const WAIT_MS_MAX = 30_000;

/** Takes messages and prints them. @returns `nothing` when there are none. */
export async function pop({ args, options, client }: Invocation<PopOptions>): Promise<number> {
  const queue = args[0]!;
  const path =
    options.partition === undefined
      ? pathOf("/api/v1/pop/queue", queue)
      : `${pathOf("/api/v1/pop/queue", queue)}/partition/${encodeURIComponent(options.partition)}`;
  const deadline = performance.now() + (options.wait ?? 0);
  let messages: Json[] = [];
  for (;;) {
    const timeout = Math.round(Math.min(WAIT_MS_MAX, Math.max(0, deadline - performance.now())));
    const query = {
      batch: options.batch,
      partitions: options.partitions,
      consumerGroup: options.group,
      ...(options.new && { subscriptionMode: "new" }),
      ...(timeout > 0 && { wait: true, timeout }),
    };
    // Asked only once: what a lost answer had leased comes back by itself when the lease ends.
    const answer = await client.get(path, query, { again: false, timeoutMs: timeout + 30_000 });
    messages = answer?.messages ?? [];
    if (messages.length > 0 || answer?.paused === true || performance.now() >= deadline) break;
  }
  for (const message of messages) await printMessage(message, options);
  if (messages.length === 0) {
    if (!options.json) note(`Nothing to take from ${harmless(queue)}.`);
    return Exit.nothing;
  }
  const leaseId = String(messages[0].leaseId);
  if (!options.ack) {
    if (!options.json) note(dim(`Leased: queen ack ${leaseId}`));
    return Exit.ok;
  }
  // After they were printed: what nobody got to see is delivered again.
  const done = await client.post(`/api/v1/lease/${leaseId}/ack`, {}, { again: true });
  if (done.success !== true) throw new CliError(`The messages were not acknowledged: ${harmless(String(done.error))}`);
  return Exit.ok;
}

/** Prints a message as it was delivered. */
async function printMessage(message: Json, options: { raw?: boolean; json?: boolean }): Promise<void> {
  if (options.json) return await printJson(message);
  const payload = typeof message.data === "string" && options.raw ? message.data : JSON.stringify(message.data);
  if (options.raw) return await print(payload);
  const at = dim(String(message.createdAt).slice(0, 23));
  await print(`${at}  ${harmless(message.partition)}  ${dim(harmless(message.transactionId))}  ${harmless(payload)}`);
}

/** Options of ack. */
export interface AckOptions {
  readonly status: string;
  readonly error?: string;
}

/** Answers for the messages of a lease. @returns `nothing` when the lease is not held any more. */
export async function ack({ args, options, client }: Invocation<AckOptions>): Promise<number> {
  const body = { status: options.status, ...(options.error !== undefined && { error: options.error }) };
  const answer = await client.post(pathOf("/api/v1/lease", args[0]!, "ack"), body, { again: true });
  if (options.json) await printJson(answer);
  else if (answer.success) await print(`${answer.acknowledged} ${options.status}, ${answer.dlq} of them dead letters`);
  else note(`queen: ${harmless(String(answer.error))}`);
  return answer.success ? Exit.ok : Exit.nothing;
}
