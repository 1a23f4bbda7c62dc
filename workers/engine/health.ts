/**
 * Whether the database answers.
 *
 * @module
 */

import { databasePing } from "../storage/queue-admin.ts";
import { queueAnyEncrypted } from "../storage/queues.ts";
import { type Answer, type EngineContext, ok } from "./context.ts";

/** How long the database may take to answer before it counts as gone, in milliseconds. */
const PING_MS_MAX = 2_000;
/** After this, another lane is asked too: one long listing must not look like a lost database. */
const PING_SECOND_MS = 500;

/** The outcome of a promise that does not reject, or null when it takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}

/** What there is to say about encryption: nothing, unless queues are encrypted and no key is configured. */
async function encryptionTrouble(context: EngineContext): Promise<{ encryption?: string }> {
  if (context.ring.usable) return {};
  const any = await within(
    queueAnyEncrypted(context.database.look).catch(() => false),
    PING_SECOND_MS,
  );
  return any ? { encryption: "key missing: pushes to encrypted queues are refused" } : {};
}

/** Whether the database answers in time. Never rejects. */
export async function databaseAnswers(context: EngineContext): Promise<boolean> {
  const { look, ack } = context.database;
  const first = databasePing(look);
  const connected = await within(succeeds(first), PING_SECOND_MS);
  if (connected !== null) return connected;
  return (await within(succeeds(Promise.any([first, databasePing(ack)])), PING_MS_MAX - PING_SECOND_MS)) === true;
}

/**
 * Answers 200 when the database answers in time, else 503. Names a missing encryption key, which concerns some queues
 * only and so leaves the status alone. Never throws.
 */
export async function health(context: EngineContext): Promise<Answer> {
  if (await databaseAnswers(context)) return ok({ database: "connected", ...(await encryptionTrouble(context)) });
  return { status: 503, value: { database: "disconnected" } };
}
