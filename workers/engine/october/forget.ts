/**
 * The job that clears away what the October 2025 dialect noted of messages that are gone.
 *
 * @module
 */

import type postgres from "postgres";
import type { Sql } from "../../storage/database.ts";
import {
  FIRST_MESSAGE,
  FIRST_PLACE,
  type ForgetStep,
  octoberForgetAnswers,
  octoberForgetMessages,
  octoberForgetSegments,
} from "../../storage/october-forget.ts";
import { jobElect } from "../../storage/retention.ts";

/** Second key of the job's advisory lock. */
const OCTOBER_JOB = 20;
/** Rows of a step, each a transaction, and most steps of a run for each table. */
const ROWS_MAX = 5_000;
const STEPS_MAX = 200;

/** Where the walks stand, between runs. */
export interface OctoberWalks {
  messages: typeof FIRST_MESSAGE;
  segments: typeof FIRST_PLACE;
  answers: typeof FIRST_PLACE;
}

/** Walks that begin at the beginning. */
export function newOctoberWalks(): OctoberWalks {
  return { messages: FIRST_MESSAGE, segments: FIRST_PLACE, answers: FIRST_PLACE };
}

/**
 * One run: walks on over each table, from the end to the beginning again.
 *
 * @param sql - Pool; each step is a transaction of its own.
 * @param proceed - False once the server stops.
 * @param rowsMax - Rows of a step.
 * @returns How many rows went.
 */
export async function runOctoberForget(
  sql: postgres.Sql,
  walks: OctoberWalks,
  proceed: () => boolean,
  rowsMax = ROWS_MAX,
): Promise<number> {
  async function walk<Place>(
    from: Place,
    first: Place,
    forget: (sql: Sql, after: Place, rowsMax: number) => Promise<ForgetStep<Place>>,
  ): Promise<{ gone: number; at: Place }> {
    let gone = 0;
    let at = from;
    for (let steps = 0; steps < STEPS_MAX && proceed(); steps += 1) {
      const step = (await sql.begin(async (transaction) =>
        (await jobElect(transaction, OCTOBER_JOB)) ? await forget(transaction, at, rowsMax) : null,
      )) as ForgetStep<Place> | null;
      if (step === null) break;
      gone += step.gone;
      at = step.last ?? first;
      if (step.last === null) break;
    }
    return { gone, at };
  }
  const messages = await walk(walks.messages, FIRST_MESSAGE, octoberForgetMessages);
  const segments = await walk(walks.segments, FIRST_PLACE, octoberForgetSegments);
  const answers = await walk(walks.answers, FIRST_PLACE, octoberForgetAnswers);
  walks.messages = messages.at;
  walks.segments = segments.at;
  walks.answers = answers.at;
  return messages.gone + segments.gone + answers.gone;
}
