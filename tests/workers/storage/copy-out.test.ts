/**
 * Copying a table out when pieces come faster than they are read, so that the driver pauses its socket. Where the end of the copy
 * falls among the socket's pieces is chance, therefore many sizes.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type postgres from "postgres";
import { copyOut } from "../../../workers/storage/backup.ts";
import { useEngine } from "../support/engine.ts";

const TABLE = { name: "large", columns: ["bytes"] };
setDefaultTimeout(60_000);

const engine = useEngine();
beforeAll(async () => {
  await engine.sql`create table queen.large (bytes bytea)`;
});

/** Reads a table, or its beginning, and then asks for something else on the same connection. */
async function copyAndAsk(sql: postgres.TransactionSql, stopAfter: number): Promise<{ bytes: number; one: number }> {
  let bytes = 0;
  for await (const piece of copyOut(sql, TABLE)) {
    bytes += piece.length;
    if (bytes >= stopAfter) break;
    // A reader slower than the database, as one that compresses and writes.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [row] = await sql<{ one: number }[]>`select 1 as one`;
  return { bytes, one: row!.one };
}

describe("a copy out of a large table", () => {
  test("leaves its connection usable, wherever its end falls", async () => {
    for (let rows = 1; rows <= 40; rows++) {
      // 21 bytes of signature and trailer, and 6 with each row.
      await engine.sql`insert into queen.large values (convert_to(repeat('x', 60000), 'UTF8'))`;
      const { bytes, one } = await engine.database.ack.begin((sql) => copyAndAsk(sql, Number.POSITIVE_INFINITY));
      expect({ bytes, one }).toEqual({ bytes: 21 + rows * 60_006, one: 1 });
    }
  });

  test("leaves it usable when its reader stops early", async () => {
    for (let n = 0; n < 10; n++) {
      const { bytes, one } = await engine.database.ack.begin((sql) => copyAndAsk(sql, 1));
      expect(bytes).toBeLessThan(40 * 60_006);
      expect(one).toBe(1);
    }
  });
});
