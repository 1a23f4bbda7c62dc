/**
 * `queen push`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import process from "node:process";
import { newTransactionId } from "../../schema/wire/ids.ts";
import { type Json, parse } from "./client.ts";
import type { Invocation } from "./command.ts";
import { CliError, Exit } from "./exit.ts";
import { count, harmless, isTerminal, note, print, printJson } from "./output.ts";
import { startProgress } from "./progress.ts";

/** Options of push. */
export interface PushOptions {
  readonly partition: string;
  readonly file?: string;
  readonly text?: boolean;
  readonly items?: boolean;
  readonly transactionId?: string;
  readonly batch: number;
  readonly progress: boolean;
}

/** A request is sent before it grows larger. */
const REQUEST_BYTES_MAX = 4 * 1024 * 1024;
const ITEM_FIELDS: ReadonlySet<string> = new Set(["payload", "queue", "partition", "transactionId", "traceId"]);

type Counts = Record<"queued" | "duplicate" | "buffered" | "failed", number>;

/** Appends one message or many. @returns `failed` when any was refused. */
export async function push(invocation: Invocation<PushOptions>): Promise<number> {
  const { args, options } = invocation;
  const [queue, payload] = args as [string, string | undefined];
  if (payload !== undefined && options.file !== undefined) {
    throw new CliError("Give either a payload or --file, not both.", Exit.usage);
  }
  if (payload === undefined) return await pushLines(invocation, queue);
  if (options.items) throw new CliError("--items is for lines; give a payload alone.", Exit.usage);
  const item = itemText(payload, queue, options);
  if (item === null) throw new CliError(`The payload is no JSON. Add --text to push it as text.`, Exit.usage);
  const [result] = await send(invocation, [item]);
  if (options.json) await printJson(result);
  else if (result.status !== "failed") {
    const id = String(result.transaction_id ?? result.transactionId);
    await print(`${result.status} ${harmless(queue)}/${harmless(options.partition)} ${harmless(id)}`);
  }
  if (result.status !== "failed") return Exit.ok;
  if (!options.json) note(`queen: ${harmless(String(result.error))}`);
  return Exit.failed;
}

async function pushLines(invocation: Invocation<PushOptions>, queue: string): Promise<number> {
  const { options } = invocation;
  if (options.transactionId !== undefined) throw new CliError("--transaction-id is for one message.", Exit.usage);
  const path = options.file ?? "-";
  if (path === "-" && process.stdin.isTTY) note("Reading payloads from the terminal, one a line; Ctrl-D ends.");
  const total = path === "-" ? 0 : await sizeOf(path);
  const progress = await startProgress(total > 0 ? "bytes" : "messages", options.progress);
  const counts: Counts = { queued: 0, duplicate: 0, buffered: 0, failed: 0 };
  let firstError: string | null = null;
  let [line, readBytes] = [0, 0];
  let batch: string[] = [];
  let batchBytes = 0;
  const flush = async () => {
    if (batch.length === 0) return;
    for (const result of await send(invocation, batch)) {
      counts[result.status as keyof Counts] += 1;
      if (result.status === "failed") firstError ??= String(result.error);
    }
    batch = [];
    batchBytes = 0;
    progress.set(total > 0 ? readBytes : sum(counts), total);
  };
  try {
    for await (const text of linesOf(path)) {
      line += 1;
      readBytes += Buffer.byteLength(text) + 1;
      if (!options.text && text.trim() === "") continue;
      const item = itemText(text, queue, options);
      if (item === null) {
        await flush();
        const help = options.items ? "an object with a payload" : "JSON (add --text for plain text)";
        throw new CliError(`Line ${line} is not ${help}; the ${count(sum(counts))} messages before it were pushed.`);
      }
      if (batchBytes + item.length > REQUEST_BYTES_MAX) await flush();
      batch.push(item);
      batchBytes += item.length;
      if (batch.length >= options.batch) await flush();
    }
    await flush();
  } finally {
    progress.stop();
  }
  if (options.json) await printJson(counts);
  else await print(summary(counts));
  if (firstError !== null && !options.json) note(`queen: ${harmless(firstError)}`);
  return counts.failed > 0 ? Exit.failed : Exit.ok;
}

/** Sends a batch. Every item has an id, so it may be sent again without being stored twice. */
function send({ client }: Invocation<PushOptions>, items: readonly string[]): Promise<Json[]> {
  const body = `{"items":[${items.join(",")}]}`;
  return client.call("POST", "/api/v1/push", { body, again: true }).then(({ json }) => json);
}

/** An item of the request with its payload as it was written, or null when the text is none. */
function itemText(text: string, queue: string, options: PushOptions): string | null {
  const id = () => options.transactionId ?? newTransactionId(Date.now());
  const fields = { queue, partition: options.partition, transactionId: id() };
  if (options.text) return JSON.stringify({ ...fields, payload: text });
  const value = parse(text);
  if (value === undefined || text.trim() === "") return null;
  // The text itself, since writing the value again may lose what it says: large numbers, the order of keys.
  if (!options.items) return `${JSON.stringify(fields).slice(0, -1)},"payload":${text}}`;
  if (typeof value !== "object" || value === null || Array.isArray(value) || !("payload" in value)) return null;
  const own = Object.fromEntries(Object.entries(value).filter(([name]) => ITEM_FIELDS.has(name)));
  return JSON.stringify({ ...fields, ...own });
}

/** Lines without their ends; a carriage return at the end belongs to it. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const stream = path === "-" ? process.stdin : createReadStream(path);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  try {
    for await (const chunk of stream) {
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      let from = 0;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
        yield rest.slice(from, end).replace(/\r$/, "");
        from = end + 1;
      }
      rest = rest.slice(from);
    }
    rest += decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new CliError("The input is not UTF-8.");
    throw error;
  }
  if (rest !== "") yield rest.replace(/\r$/, "");
}

async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new CliError(`${path} is a folder.`, Exit.usage);
    return found.isFile() ? found.size : 0;
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new CliError(`Cannot read ${path} (${code}).`, Exit.usage);
  }
}

function sum(counts: Counts): number {
  return counts.queued + counts.duplicate + counts.buffered + counts.failed;
}

function summary(counts: Counts): string {
  const parts = Object.entries(counts).filter(([name, value]) => value > 0 || name === "queued");
  return parts.map(([name, value]) => `${isTerminal ? count(value) : value} ${name}`).join(", ");
}
