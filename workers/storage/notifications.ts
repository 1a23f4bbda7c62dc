/**
 * Messages between instances, over NOTIFY. They only make things faster: nothing depends on their arrival.
 *
 * @module
 */

import type postgres from "postgres";
import type { Sql } from "./database.ts";
import { textArray } from "./literals.ts";

/** Channel all instances on a database listen to. */
const CHANNEL = "queen";

/**
 * Listens for messages, also after the connection was lost and made anew.
 *
 * @param onText - Gets each message, those of this instance included.
 * @param onListening - Called when listening begins, and again after each gap: messages may have been missed before it.
 * @returns Stops listening.
 */
export async function notificationListen(
  sql: postgres.Sql,
  onText: (text: string) => void,
  onListening: () => void,
): Promise<() => Promise<void>> {
  const { unlisten } = await sql.listen(CHANNEL, onText, onListening);
  return unlisten;
}

/** Sends messages of at most 7,900 bytes each. Outside any other transaction: a commit with NOTIFY takes a lock database-wide. */
export async function notificationSend(sql: Sql, texts: readonly string[]): Promise<void> {
  if (texts.length === 0) return;
  await sql`select pg_notify(${CHANNEL}, u.text) from unnest(${textArray(texts)}::text[]) u(text)`;
}
