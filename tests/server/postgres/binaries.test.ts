import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Account, chooseAccount } from "../../../server/postgres/account.ts";
import { findNative, prepareBinaries } from "../../../server/postgres/binaries.ts";
import { run } from "../../../server/postgres/run.ts";
import { canSwitch, cleanUp, isRoot, NOBODY, ORDINARY, temporaryFolder } from "./launcher.ts";

setDefaultTimeout(60_000);
afterEach(cleanUp);

const installed = await findNative();
const links = JSON.parse(readFileSync(join(installed, "pg-symlinks.json"), "utf8")) as { target: string }[];

/** The package as npm unpacks it with scripts switched off: no links. */
function packageWithoutLinks(parent: string): string {
  const root = join(parent, "package");
  const copy = (from: string, to: string) => {
    mkdirSync(to, { recursive: true, mode: 0o755 });
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) copy(source, target);
      else if (entry.isFile()) copyFileSync(source, target);
    }
  };
  copy(dirname(installed), root);
  return join(root, "native");
}

const linksIn = (native: string) =>
  links.filter(({ target }) => lstatOrNull(join(dirname(native), target))?.isSymbolicLink()).length;

function lstatOrNull(path: string) {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

const account = await chooseAccount([]);

/** Not only `--version`: the programs find each other, their libraries and their data files. */
async function expectInitdbWorks(initdb: string, parent: string): Promise<void> {
  const pgdata = join(parent, "initdb-here");
  mkdirSync(pgdata);
  if (account.switched) spawnSync("chown", [String(account.uid), pgdata]);
  const result = await run(initdb, ["-D", pgdata, "-U", "x", "--no-locale", "--no-sync", "--auth=trust"], account);
  expect(result).toMatchObject({ code: 0 });
}

describe("prepareBinaries()", () => {
  test("makes the links that a skipped postinstall left out, from many servers at once", async () => {
    const folder = temporaryFolder();
    const native = packageWithoutLinks(folder);
    expect(linksIn(native)).toBe(0);
    const options = { native, copyDir: join(folder, "programs"), account };
    const found = await Promise.all(Array.from({ length: 8 }, () => prepareBinaries(options)));
    for (const binaries of found) {
      expect(binaries).toMatchObject({ postgres: join(native, "bin", "postgres"), version: "18.4", major: 18 });
    }
    expect(linksIn(native)).toBe(links.length);
    expect(existsSync(options.copyDir)).toBe(false);
    await expectInitdbWorks(found[0]!.initdb, folder);
  });

  test.skipIf(!canSwitch)("copies a package that it may read but not change", async () => {
    const folder = temporaryFolder();
    const native = packageWithoutLinks(folder);
    const copyDir = join(folder, "programs");
    mkdirSync(copyDir);
    spawnSync("chown", [String(ORDINARY), copyDir]);
    const answer = runAs(ORDINARY, native, copyDir);
    expect(answer).toMatchObject({ version: "18.4" });
    expect(String(answer.postgres).startsWith(copyDir)).toBe(true);
    expect(linksIn(native)).toBe(0);
    expect(runAs(ORDINARY, native, copyDir)).toEqual(answer);
    expect(readdirSync(copyDir)).toHaveLength(1);
    await expectInitdbWorks(String(answer.initdb), folder);
  });

  test.skipIf(!isRoot)("as root, copies a package that the database's user cannot reach", async () => {
    const folder = temporaryFolder();
    const closed = join(folder, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const native = packageWithoutLinks(closed);
    const copyDir = join(folder, "programs");
    const many = await Promise.all(Array.from({ length: 4 }, () => prepareBinaries({ native, copyDir, account })));
    expect(new Set(many.map(({ postgres }) => postgres)).size).toBe(1);
    expect(readdirSync(copyDir)).toHaveLength(1);
    // Hard links: no second 70 MB on the disk.
    expect(statSync(many[0]!.postgres).ino).toBe(statSync(join(native, "bin", "postgres")).ino);
    await expectInitdbWorks(many[0]!.initdb, folder);
  });

  test("says so when the programs cannot run here", async () => {
    const folder = temporaryFolder();
    const native = join(folder, "native");
    mkdirSync(join(native, "bin"), { recursive: true });
    writeFileSync(join(native, "bin", "postgres"), "#!/no/such/loader\n");
    chmodSync(join(native, "bin", "postgres"), 0o755);
    const attempt = prepareBinaries({ native, copyDir: join(folder, "programs"), account });
    await expect(attempt).rejects.toMatchObject({
      code: "BINARIES_MISSING",
      message: expect.stringMatching(/cannot run on this machine .*set DATABASE_URL/),
    });
  });
});

/** Calls `prepareBinaries` in a process of another user. */
function runAs(uid: number, native: string, copyDir: string): Record<string, unknown> {
  const who: Account = { uid, gid: uid, switched: false };
  const module = join(import.meta.dir, "../../../server/postgres/binaries.ts");
  const script = `const { prepareBinaries } = await import(${JSON.stringify(module)});
    console.log(JSON.stringify(await prepareBinaries(${JSON.stringify({ native, copyDir, account: who })})));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    uid,
    gid: uid,
    env: { HOME: tmpdir() },
    cwd: "/",
  });
  if (!String(stdout).startsWith("{")) throw new Error(String(stderr));
  return JSON.parse(String(stdout)) as Record<string, unknown>;
}

test("as root, the account is whoever owns the data, else nobody", async () => {
  if (!isRoot) return expect(account).toMatchObject({ uid: process.getuid?.(), switched: false });
  const [roots, theirs] = [temporaryFolder(), temporaryFolder(ORDINARY)];
  expect(await chooseAccount(["/does/not/exist", roots])).toEqual({ uid: NOBODY, gid: NOBODY, switched: true });
  expect(await chooseAccount([roots, theirs])).toEqual({ uid: ORDINARY, gid: ORDINARY, switched: true });
});

describe("a single-file build without the package", () => {
  const folder = mkdtempSync(join(tmpdir(), "queen-single-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("says so, and leaves no folder behind", () => {
    const program = join(folder, "launch");
    const built = spawnSync(process.execPath, [
      "build",
      "--compile",
      join(import.meta.dir, "launch.ts"),
      "--outfile",
      program,
    ]);
    expect(built.status).toBe(0);
    const { stdout, status } = spawnSync(program, [join(folder, "data")], { cwd: folder });
    expect(JSON.parse(String(stdout))).toMatchObject({
      kind: "failed",
      code: "BINARIES_MISSING",
      message: expect.stringContaining("set DATABASE_URL"),
    });
    expect(status).toBe(1);
    expect(existsSync(join(folder, "data"))).toBe(false);
  });
});
