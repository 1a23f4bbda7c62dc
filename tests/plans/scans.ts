/**
 * What a call really read, counted by PostgreSQL itself. Works for statements inside functions, whose plans nobody can
 * explain from outside.
 *
 * @module
 */
import type postgres from "postgres";

/** Reads of one call: index entries by index, and rows read by walking whole tables. */
export interface Scans {
  /** Entries returned by each index that was used at all. */
  indexes: Record<string, number>;
  /** Rows read by sequential scans, by table; tables that were not walked are left out. */
  walked: Record<string, number>;
}

interface Counters {
  index: Map<string, { scans: number; tuples: number }>;
  walked: Map<string, number>;
}

async function counters(sql: postgres.TransactionSql): Promise<Counters> {
  const rows = await sql<{ name: string; kind: string; scans: number; tuples: number }[]>`
    select c.relname as name, c.relkind::text as kind, pg_stat_get_xact_numscans(c.oid)::float8 as scans,
           pg_stat_get_xact_tuples_returned(c.oid)::float8 as tuples
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'queen' and c.relkind in ('r', 'i')`;
  const of = (kind: string) => rows.filter((row) => row.kind === kind);
  return {
    index: new Map(of("i").map(({ name, scans, tuples }) => [name, { scans, tuples }])),
    walked: new Map(of("r").map(({ name, tuples }) => [name, tuples])),
  };
}

/**
 * Carries out a call in a transaction that is rolled back, and counts what it read.
 *
 * @param mode - How prepared statements are planned, also those in functions.
 * @param call - The transaction to use is given to it. Called once before, so that plans are made and cached.
 */
export async function scansOf(
  sql: postgres.Sql,
  mode: "force_generic_plan" | "force_custom_plan",
  call: (sql: postgres.TransactionSql) => Promise<unknown>,
): Promise<Scans> {
  let scans: Scans | undefined;
  class Done extends Error {}
  const attempt = sql.begin(async (transaction) => {
    await transaction`set local plan_cache_mode = ${transaction.unsafe(mode)}`;
    const before = await counters(transaction);
    await call(transaction);
    const after = await counters(transaction);
    const indexes: Scans["indexes"] = {};
    for (const [name, { scans: count, tuples }] of after.index) {
      const was = before.index.get(name)!;
      if (count > was.scans) indexes[name] = tuples - was.tuples;
    }
    const walked: Scans["walked"] = {};
    for (const [name, tuples] of after.walked) {
      const was = before.walked.get(name)!;
      if (tuples > was) walked[name] = tuples - was;
    }
    scans = { indexes, walked };
    throw new Done();
  });
  await attempt.catch((error: unknown) => {
    if (!(error instanceof Done)) throw error;
  });
  return scans!;
}
