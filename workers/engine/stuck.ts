/**
 * Noticing a database that keeps its connections and says nothing: frozen, or on the far side of a network that swallows
 * everything. Statements to it neither end nor fail.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import type { EngineContext } from "./context.ts";
import { databaseAnswers } from "./health.ts";

/** How long a statement may take before somebody asks whether the database still answers. */
const ASK_MS = 5_000;
/** The same while it is known not to. */
const ASK_AGAIN_MS = 500;

/** Engines whose database did not answer last. */
const silent = new WeakSet<EngineContext>();

/**
 * Waits for work of the database, but not for a database that has stopped to answer.
 *
 * @returns What the work gives, however long it takes while the database answers others.
 * @throws {@link QueenError} `DATABASE_UNAVAILABLE` when it does not answer others either: the work may still be carried out
 * later. And whatever the work throws.
 */
export async function unlessStuck<T>(context: EngineContext, work: Promise<T>): Promise<T> {
  let over = false;
  const end = work.finally(() => {
    over = true;
    silent.delete(context);
  });
  for (;;) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, silent.has(context) ? ASK_AGAIN_MS : ASK_MS, null);
    });
    const done = await Promise.race([end.then((value) => ({ value })), late]).finally(() => clearTimeout(timer));
    if (done !== null) return done.value;
    if ((await databaseAnswers(context)) || over) continue;
    silent.add(context);
    end.catch(() => {});
    throw new QueenError("DATABASE_UNAVAILABLE");
  }
}
