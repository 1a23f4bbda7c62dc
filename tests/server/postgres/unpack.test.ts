import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { packCluster, packPrograms } from "../../../server/pack.ts";
import { chooseAccount } from "../../../server/postgres/account.ts";
import { findNative } from "../../../server/postgres/binaries.ts";
import { carriedAmong } from "../../../server/postgres/carried.ts";
import { startEmbedded } from "../../../server/postgres/embedded.ts";
import { crc32c, renewIdentity } from "../../../server/postgres/identity.ts";
import { readTar, tarEnd, tarEntry } from "../../../server/postgres/tar.ts";
import { type CarriedPostgres, unpack, unpackPrograms } from "../../../server/postgres/unpack.ts";
import { cleanUp, query, temporaryFolder } from "./launcher.ts";

setDefaultTimeout(120_000);
afterEach(cleanUp);

const account = await chooseAccount([]);

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function entriesOf(bytes: Uint8Array, chunkBytes = 1000) {
  return await Array.fromAsync(readTar(chunked(bytes, chunkBytes)));
}

/** A small tree, packed as programs are. */
async function smallArchive(parent: string): Promise<CarriedPostgres> {
  const native = join(parent, "source");
  mkdirSync(join(native, "bin"), { recursive: true });
  mkdirSync(join(native, "empty"));
  writeFileSync(join(native, "bin", "postgres"), "#!/bin/sh\n");
  chmodSync(join(native, "bin", "postgres"), 0o755);
  symlinkSync("postgres", join(native, "bin", "link"));
  writeFileSync(join(native, "large"), Buffer.alloc(3_000_000, "abc"));
  const path = await packPrograms(native, new Map([["libx.so.1", join(native, "large")]]), parent);
  return carriedAmong([path])!;
}

describe("tar", () => {
  const name = fc.stringMatching(/^[a-z0-9_][a-z0-9_.]{0,40}$/);
  const entry = fc.record({
    kind: fc.constant("file" as const),
    name,
    mode: fc.integer({ min: 0, max: 0o777 }),
    content: fc.uint8Array({ maxLength: 2000 }),
    target: fc.constant(""),
  });

  test("reads what it wrote, however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 5 }), fc.integer({ min: 1, max: 3000 }), async (entries, size) => {
        const bytes = Buffer.concat([...entries.map(tarEntry), tarEnd()]);
        expect(await entriesOf(bytes, size)).toEqual(entries);
        for (const cut of [bytes.length - 1024, 100]) {
          if (cut > 0 && cut < bytes.length)
            await expect(entriesOf(bytes.subarray(0, cut))).rejects.toThrow("cut short");
        }
      }),
      { numRuns: 50 },
    );
  });

  test("refuses damage and paths that lead outside", async () => {
    const file = { kind: "file" as const, name: "a/../../b", mode: 0o644, content: new Uint8Array(1), target: "" };
    const bytes = Buffer.concat([tarEntry(file), tarEnd()]);
    await expect(entriesOf(bytes)).rejects.toThrow("outside");
    bytes[3]! ^= 1;
    await expect(entriesOf(bytes)).rejects.toThrow("damaged");
    expect(() => tarEntry({ ...file, name: "a".repeat(101) })).toThrow("Too long");
  });

  test("is what the system's tar reads", async () => {
    if (Bun.which("tar") === null || Bun.which("zstd") === null) return console.warn("skipped: no tar or zstd here");
    const folder = temporaryFolder();
    const { programs } = await smallArchive(folder);
    const listed = spawnSync("sh", ["-c", `zstd -dc '${programs}' | tar -tvf -`], { encoding: "utf8" });
    expect(listed.status, listed.stderr).toBe(0);
    expect(listed.stdout).toMatch(/-rwxr-xr-x .* 10 .* native\/bin\/postgres\n/);
    expect(listed.stdout).toMatch(/native\/bin\/link -> postgres\n/);
  });
});

describe("unpackPrograms()", () => {
  test("unpacks once, all of it, with rights whatever the umask, and clears away drafts", async () => {
    const folder = temporaryFolder();
    const carried = await smallArchive(folder);
    const programsDir = join(folder, "programs");
    mkdirSync(join(programsDir, "draft-of-a-killed-server", "native"), { recursive: true });
    const events: string[] = [];
    const options = { carried, programsDir, account, log: (_level: string, event: string) => void events.push(event) };
    const before = process.umask(0o077);
    const native = await unpackPrograms(options).finally(() => process.umask(before));
    expect(readdirSync(programsDir)).toEqual([carried.checksum]);
    expect(statSync(join(native, "bin", "postgres")).mode & 0o777).toBe(0o755);
    expect(statSync(native).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(native, "bin", "link"))).toBe("postgres");
    expect(readdirSync(join(native, "empty"))).toEqual([]);
    expect(readFileSync(join(native, "large")).equals(readFileSync(join(folder, "source", "large")))).toBe(true);
    expect(await unpackPrograms(options)).toBe(native);
    expect(events).toEqual(["database_unpack"]);
  });

  test("refuses a damaged archive with a sentence, and leaves nothing", async () => {
    const folder = temporaryFolder();
    const carried = await smallArchive(folder);
    const bytes = readFileSync(carried.programs);
    bytes[bytes.length >> 1]! ^= 0xff;
    writeFileSync(carried.programs, bytes);
    const programsDir = join(folder, "programs");
    const log = () => {};
    const wrongSum = { carried, programsDir, account, log };
    await expect(unpackPrograms(wrongSum)).rejects.toMatchObject({ code: "BINARIES_MISSING" });
    const checksum = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
    await expect(unpackPrograms({ ...wrongSum, carried: { ...carried, checksum } })).rejects.toThrow("is damaged");
    expect(readdirSync(programsDir)).toEqual([]);
  });
});

test("carriedAmong() knows the archives by the names a bundler gives them", () => {
  const sum = "0123456789abcdef".repeat(2);
  const programs = `/$bunfs/root/postgres-programs-${sum}.tar-1gry699g.zst`;
  const cluster = "/$bunfs/root/postgres-cluster.tar-abc.zst";
  expect(carriedAmong(["/$bunfs/root/other.js", cluster, programs])).toEqual({ programs, checksum: sum, cluster });
  expect(carriedAmong([programs])).toEqual({ programs, checksum: sum, cluster: null });
  expect(carriedAmong([cluster, "/$bunfs/root/queen"])).toBeNull();
});

describe("a cluster from the build", () => {
  test("runs under an identity of its own, with checksums, and is refused when it is not what it should be", async () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    const folder = temporaryFolder();
    const native = await findNative();
    const archives = [await packPrograms(native, new Map(), folder), await packCluster(native, folder)];
    const carried = carriedAmong(archives)!;
    const identifiers: unknown[] = [];
    for (const name of ["one", "other"]) {
      const server = await startEmbedded({ dataDir: join(folder, name), log: () => {}, connectionsMax: 5, carried });
      const [row] = await query(
        server.target,
        `select system_identifier::text, current_setting('data_checksums') as sums, datcollate, datlocprovider
         from pg_control_system(), pg_database where datname = current_database()`,
      );
      expect(row).toMatchObject({ sums: "on", datcollate: "C", datlocprovider: "b" });
      identifiers.push(row!.system_identifier);
      await server.stop();
    }
    const template = join(folder, "template");
    await unpack(carried.cluster!, template);
    const control = readFileSync(join(template, "global", "pg_control"));
    identifiers.push(String(control.readBigUInt64LE(0)));
    expect(new Set(identifiers).size).toBe(3);

    const broken = join(folder, "broken");
    cpSync(template, broken, { recursive: true });
    control[40]! ^= 1;
    writeFileSync(join(broken, "global", "pg_control"), control);
    await expect(renewIdentity(broken)).rejects.toThrow("is not of PostgreSQL 18");
  });
});
