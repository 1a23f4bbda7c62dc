/** Backup and restore, as processes, against servers that work meanwhile and databases that are compared row by row. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type postgres from "postgres";
import { makeSchemaAnew } from "../../../schema/database/migrate.ts";
import { migrations } from "../../../schema/database/migrations.generated.ts";
import { Api, leasedAckOf, payloads } from "../../support/api.ts";
import { queen } from "../../support/cli.ts";
import { openDatabase } from "../../support/database.ts";
import { Http } from "../../support/http.ts";
import { startServer, type TestServer } from "../../support/server.ts";

const TIMEOUT_MS = 180_000;
const folder = mkdtempSync(join(tmpdir(), "queen-backup-"));
const file = (name: string) => join(folder, name);
const folders = [folder];
/** Nobody's jobs change rows while they are compared. */
const STILL = { RETENTION_INTERVAL: "3600000", EVICTION_INTERVAL: "3600000" };

let server: TestServer;
let api: Api;
const dataOf = (dataDir: string) => ({ env: { QUEEN_DATA_DIR: dataDir } });

beforeAll(async () => {
  server = await startServer({ env: STILL });
  api = new Api(new Http(server.url));
  await fill();
}, TIMEOUT_MS);
afterAll(async () => {
  await server.stop();
  for (const path of folders) rmSync(path, { recursive: true, force: true });
}, TIMEOUT_MS);

/** Something of everything that is kept for queues. */
async function fill(): Promise<void> {
  await api.configure("plain", { leaseTime: 600, retryLimit: 0, ttl: 7_000 }, { namespace: "n", task: "t" });
  await api.pushAll(
    "plain",
    "a",
    Array.from({ length: 500 }, (_, n) => ({ n, text: "ünïcode \u0000".repeat(9) })),
  );
  await api.pushAll("plain", "b", [1, 2, 3, 4, 5]);
  await api.push({ queue: "plain", partition: "b", payload: "odd id", transactionId: "no uuid" });
  const [first, second, third] = await api.popPartition("plain", "b", { consumerGroup: "g", batch: 4 });
  await api.ack(leasedAckOf(second!));
  await api.ack(leasedAckOf(third!, "dlq", "too odd"));
  await api.http.post("/api/v1/traces", { ...first!, data: { step: 1 }, traceNames: ["way"] });
  await api.popPartition("plain", "a", { batch: 100, autoAck: true });
  const [deleted] = await api.pushAll("plain", "c", [1, 2]);
  await api.http.del(`/api/v1/messages/${deleted!.partition_id}/1`);
  await api.http.post("/streams/v1/queries", { name: "s", source_queue: "plain", config_hash: "h" });
}

const COUNTED = /^(schema_migrations|instances|.*_samples)$/;

/** A digest of every row of every table that is kept for queues, and where the sequences stand. */
async function digests(sql: postgres.Sql): Promise<Record<string, string>> {
  const tables = await sql<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'queen' and c.relkind = 'r'`;
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    if (COUNTED.test(name)) continue;
    const [row] = await sql.unsafe(
      `select count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' order by t::text)), '') as digest from queen."${name}" t`,
    );
    found[name] = row!.digest;
  }
  return found;
}

/** A data folder with a restored database, and what the command said. */
async function restored(path: string, ...more: string[]) {
  const dataDir = mkdtempSync(join(tmpdir(), "queen-restored-"));
  folders.push(dataDir);
  return { dataDir, ended: await queen(["restore", path, ...more], dataOf(dataDir)) };
}

describe("a database at rest", () => {
  /** Folder of the copy that the first test makes. */
  let atRest = "";

  test(
    "comes back row by row, and goes on where it stood",
    async () => {
      const backup = await queen(["backup", file("rest.queen"), "--json"], dataOf(server.dataDir));
      expect(backup).toMatchObject({ code: 0, err: "", json: { queues: 1, encrypted: 0 } });
      expect(statSync(file("rest.queen")).mode & 0o777).toBe(0o600);
      const sql = await openDatabase(server.dataDir);
      const before = await digests(sql);
      await sql.end();
      for (const name of [
        "queues",
        "segments",
        "cursors",
        "dead_letters",
        "tombstones",
        "traces",
        "transaction_keys",
        "stream_queries",
      ])
        expect(before[name], name).not.toStartWith("0 ");
      const { dataDir, ended } = await restored(file("rest.queen"));
      expect(ended).toMatchObject({ code: 0, err: "" });
      atRest = dataDir;
      const copy = await startServer({ dataDir, env: STILL });
      try {
        const restoredSql = await openDatabase(dataDir);
        expect(await digests(restoredSql)).toEqual(before);
        await restoredSql.end();
        const there = new Api(new Http(copy.url));
        // Duplicates are known, dead letters readable, leases held, and new ids drawn.
        expect(
          await there.push({ queue: "plain", partition: "b", payload: 0, transactionId: "no uuid" }),
        ).toMatchObject([{ status: "duplicate" }]);
        expect(await there.deadLetters({ queue: "plain" })).toMatchObject([{ data: 3, errorMessage: "too odd" }]);
        expect(await there.popPartition("plain", "b", { consumerGroup: "g" })).toEqual([]);
        expect(payloads(await there.popPartition("plain", "a", { batch: 1 }))).toMatchObject([{ n: 100 }]);
        await there.pushAll("plain", "new", ["new"]);
        await there.pushAll("other", "new", ["new"]);
        expect(payloads(await there.popPartition("plain", "new"))).toEqual(["new"]);
      } finally {
        await copy.stop(true);
      }
    },
    TIMEOUT_MS,
  );

  test(
    "is refused where a server works or queues are, unless --force; an embedded one is backed up without a server, too",
    async () => {
      await queen(["backup", file("again.queen")], dataOf(server.dataDir));
      const busy = await queen(["restore", file("again.queen"), "--force", "--yes"], dataOf(server.dataDir));
      expect(busy).toMatchObject({ code: 1, out: "" });
      expect(busy.err).toContain("A server uses this database");
      const dataDir = atRest;
      const full = await queen(["restore", file("again.queen")], dataOf(dataDir));
      expect(full).toMatchObject({ code: 1, out: "" });
      expect(full.err).toContain("holds 2 queues: add --force");
      const asked = await queen(["restore", file("again.queen"), "--force"], dataOf(dataDir));
      expect(asked.code).toBe(2);
      const forced = await queen(["restore", file("again.queen"), "--force", "--yes"], dataOf(dataDir));
      expect(forced).toMatchObject({ code: 0, err: "" });
      const idle = await queen(["backup", file("idle.queen"), "--json"], dataOf(dataDir));
      expect(idle).toMatchObject({ code: 0, json: { queues: 1 } });
      const sizes = [file("again.queen"), file("idle.queen")].map((path) => statSync(path).size);
      expect(Math.abs(sizes[0]! - sizes[1]!)).toBeLessThan(1_000);
    },
    TIMEOUT_MS,
  );
});

describe("a file that is not as it was written", () => {
  test("is noticed wherever a byte differs, and changes nothing", async () => {
    await queen(["backup", file("good.queen")], dataOf(server.dataDir));
    expect((await queen(["restore", file("good.queen"), "--check"])).out).toContain("is whole: 1 queue,");
    const good = readFileSync(file("good.queen"));
    const places = [0, 9, 12, 40, Math.floor(good.length / 2), good.length - 80, good.length - 1];
    for (const at of places) {
      const bad = Buffer.from(good);
      bad[at] = bad[at]! ^ 0x55;
      writeFileSync(file("bad.queen"), bad);
      const refused = await queen(["restore", file("bad.queen")], dataOf(file("nowhere")));
      expect(refused, `byte ${at}`).toMatchObject({ code: 1, out: "" });
      expect(refused.err).toMatch(/is damaged|is no backup of Queen/);
    }
    for (const length of [0, 7, good.length - 1, good.length - 200]) {
      writeFileSync(file("short.queen"), good.subarray(0, length));
      expect((await queen(["restore", file("short.queen"), "--check"])).code).toBe(1);
    }
    writeFileSync(file("long.queen"), Buffer.concat([good, Buffer.from("x")]));
    expect((await queen(["restore", file("long.queen"), "--check"])).err).toContain("something follows the last block");
    expect(existsSync(file("nowhere"))).toBe(false);
    expect((await queen(["restore", file("none.queen")])).err).toContain("ENOENT");
  }, 60_000);

  test("a backup that cannot be written leaves no file behind, and an earlier one as it was", async () => {
    writeFileSync(file("kept.queen"), "earlier");
    copyFileSync(file("kept.queen"), file("kept-2.queen"));
    const gone = await queen(["backup", file("kept.queen")], { env: { DATABASE_URL: "postgres://x@127.0.0.1:1/x" } });
    expect(gone.code).toBe(4);
    expect(readFileSync(file("kept.queen"), "utf8")).toBe("earlier");
    expect((await queen(["backup", join(folder, "no", "such", "x")], dataOf(server.dataDir))).err).toContain(
      "Cannot write",
    );
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
  });
});

test(
  "under load it is one moment: pairs that are pushed together are in it together, and no cursor is beyond its partition",
  async () => {
    await api.configure("left", {});
    let stop = false;
    let pairs = 0;
    const load = Array.from({ length: 3 }, async (_, worker) => {
      for (let n = 0; !stop; n += 1) {
        const item = (queue: string) => ({ type: "push", items: [{ queue, partition: `p${worker}`, payload: { n } }] });
        await api.transaction([item("left"), item("right")]);
        await api.pop("right", { consumerGroup: "load", batch: 3, autoAck: true });
        pairs += 1;
      }
    });
    while (pairs < 30) await new Promise((resolve) => setTimeout(resolve, 10));
    const backup = await queen(["backup", file("load.queen"), "--json"], dataOf(server.dataDir));
    const during = pairs;
    stop = true;
    await Promise.all(load);
    expect(backup.code).toBe(0);
    expect(during).toBeGreaterThan(30);
    const { dataDir, ended } = await restored(file("load.queen"));
    expect(ended.code).toBe(0);
    const copy = await startServer({ dataDir, env: STILL });
    try {
      const sql = await openDatabase(dataDir);
      const heads = await sql<{ queue: string; name: string; head: string }[]>`
        select q.name as queue, p.name, p.head from queen.partitions p join queen.queues q on q.id = p.queue_id
        where q.name in ('left', 'right') and p.name like 'p_'`;
      const of = (queue: string) =>
        Object.fromEntries(heads.filter((row) => row.queue === queue).map((row) => [row.name, row.head]));
      expect(of("left")).toEqual(of("right"));
      expect(Object.keys(of("left"))).toHaveLength(3);
      const [broken] = await sql`
        select (select count(*) from queen.cursors c join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id where c.next_offset > p.head) as beyond,
               (select count(*) from queen.partitions p where p.head - p.tail <> (
                  select coalesce(sum(s.message_count), 0) from queen.segments s where s.queue_id = p.queue_id and s.partition_id = p.id)) as holes`;
      expect(broken).toEqual({ beyond: "0", holes: "0" });
      await sql.end();
      const there = new Api(new Http(copy.url));
      const got = await there.popPartition("left", "p0", { consumerGroup: "new", batch: 10_000 });
      expect(got.map(({ data }) => data.n)).toEqual(got.map((_, n) => n));
      expect(got.length).toBe(Number(of("left").p0));
    } finally {
      await copy.stop(true);
    }
  },
  TIMEOUT_MS,
);

test(
  "a file of an earlier version is brought up to date",
  async () => {
    const sql = await openDatabase(server.dataDir);
    const through = migrations.at(-2)!.id;
    try {
      // As an earlier program left it. The server, whose last test this is, is only there for its database.
      await sql.begin((transaction) => makeSchemaAnew(transaction, through));
      await sql`insert into queen.queues (name, lease_time_s) values ('earlier', 77)`;
    } finally {
      await sql.end();
    }
    const backup = await queen(["backup", file("earlier.queen"), "--json"], dataOf(server.dataDir));
    expect(backup).toMatchObject({ code: 0, json: { migration: { id: through }, queues: 1 } });
    const { dataDir, ended } = await restored(file("earlier.queen"));
    expect(ended).toMatchObject({ code: 0, err: "" });
    const now = await queen(["backup", file("now.queen"), "--json"], dataOf(dataDir));
    expect(now).toMatchObject({ code: 0, json: { migration: { id: migrations.at(-1)!.id }, queues: 1 } });
  },
  TIMEOUT_MS,
);
