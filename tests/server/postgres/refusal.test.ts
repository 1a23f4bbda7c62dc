import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEmbedded } from "../../../server/postgres/embedded.ts";
import {
  canSwitch,
  cleanUp,
  isLinux,
  isRoot,
  keptFolder,
  Launched,
  launch,
  launchRefused,
  NOBODY,
  ORDINARY,
  query,
  removeFolder,
  temporaryFolder,
} from "./launcher.ts";

setDefaultTimeout(60_000);
afterEach(cleanUp);

/** One folder for the whole file: it must live through everything that happens here. */
const parent = keptFolder();
const dataDir = join(parent, "data");
afterAll(() => removeFolder(parent));

/** One sentence: no line breaks, no stack, and it says what to do. */
function expectSentence(message: string): void {
  expect(message).toMatch(/^[A-Z][^\n]+[^.\n]$/);
  expect(message).toMatch(/QUEEN_DATA_DIR|DATABASE_URL/);
}

describe("a second server on one folder", () => {
  test("is refused while the first lives, which does not notice; a crash frees the folder", async () => {
    const first = await launch(dataDir);
    for (let attempt = 0; attempt < 2; attempt++) {
      const failed = await launchRefused(dataDir);
      expect(failed.code).toBe("DATA_DIR_IN_USE");
      expect(failed.message).toContain(`process ${first.process.pid}`);
      expectSentence(failed.message);
    }
    expect(await query(first.started.target, "select 1 as n")).toEqual([{ n: 1 }]);
    await first.kill();
    await (await launch(dataDir)).stop();
  });

  test("is refused within one process too, and the lock survives the attempt", async () => {
    const options = { dataDir, log: () => {}, connectionsMax: 5 };
    const first = await startEmbedded(options);
    await expect(startEmbedded(options)).rejects.toMatchObject({ code: "DATA_DIR_IN_USE" });
    expect((await launchRefused(options.dataDir)).code).toBe("DATA_DIR_IN_USE");
    await first.stop();
    await (await launch(options.dataDir)).stop();
  });

  test("six at once on a new folder: exactly one comes up", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const servers = Array.from({ length: 6 }, () => new Launched(dataDir));
    const outcomes = await Promise.all(
      servers.map((server) =>
        server.next("started").then(
          () => server,
          (error: Error) => error.message,
        ),
      ),
    );
    const up = outcomes.filter((outcome) => outcome instanceof Launched);
    expect(up).toHaveLength(1);
    for (const text of outcomes.filter((outcome) => typeof outcome === "string"))
      expect(text).toContain("DATA_DIR_IN_USE");
    await up[0]!.stop();
  });
});

describe("a folder that cannot be used", () => {
  test("a file is in the way", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    for (const dataDir of [file, join(file, "below")]) {
      const failed = await launchRefused(dataDir);
      expect(failed.code).toBe("DATA_DIR_UNWRITABLE");
      expect(failed.message).toContain("a file is in the way");
      expectSentence(failed.message);
    }
  });

  test.skipIf(!isLinux)("it lies where nobody can write", async () => {
    const failed = await launchRefused("/proc/queen");
    expect(failed.code).toBe("DATA_DIR_UNWRITABLE");
    expectSentence(failed.message);
  });

  test.skipIf(!canSwitch)("an ordinary user may not write there, or not make it", async () => {
    const dataDir = temporaryFolder();
    for (const folder of [dataDir, join(dataDir, "below")]) {
      const failed = await launchRefused(folder, { uid: ORDINARY });
      expect(failed).toMatchObject({ code: "DATA_DIR_UNWRITABLE" });
      expect(failed.message).toContain("may not write there");
      expectSentence(failed.message);
    }
  });

  test.skipIf(!canSwitch)("the data belongs to another user", async () => {
    await (await launch(dataDir)).stop();
    chownSync(dataDir, ORDINARY, ORDINARY);
    chownSync(join(dataDir, "owner.lock"), ORDINARY, ORDINARY);
    const failed = await launchRefused(dataDir, { uid: ORDINARY });
    expect(failed.code).toBe("DATA_DIR_UNWRITABLE");
    expect(failed.message).toContain(`belongs to user ${NOBODY}`);
    expectSentence(failed.message);
    chownSync(dataDir, 0, 0);
  });

  test.skipIf(!isRoot)(
    "as root, a closed folder above is named, and a closed data folder of root's is opened",
    async () => {
      const closed = join(temporaryFolder(), "closed");
      mkdirSync(closed, { mode: 0o700 });
      const failed = await launchRefused(join(closed, "data"));
      expect(failed.code).toBe("DATA_DIR_UNWRITABLE");
      expect(failed.message).toContain(`may not pass through ${closed}`);
      expectSentence(failed.message);
      await (await launch(closed)).stop();
    },
  );

  test.skipIf(!isRoot || !existsSync("/usr/bin/setpriv"))("root without the right to switch users", async () => {
    const program = ["/usr/bin/setpriv", "--bounding-set", "-setuid,-setgid,-chown", process.execPath];
    const launchFile = join(import.meta.dir, "launch.ts");
    const failed = await launchRefused(join(temporaryFolder(), "data"), { program: [...program, launchFile] });
    expect(failed.code).toBe("START_FAILED");
    expect(failed.message).toContain("refuses to run as root");
    expectSentence(failed.message);
  });
});

describe("a folder of something else", () => {
  test("data of another major version is refused and left as it is", async () => {
    await (await launch(dataDir)).stop();
    writeFileSync(join(dataDir, "postgres", "PG_VERSION"), "15\n");
    const failed = await launchRefused(dataDir);
    expect(failed.code).toBe("DATA_DIR_OTHER_VERSION");
    expect(failed.message).toContain("made by PostgreSQL 15, and this Queen carries PostgreSQL 18");
    expectSentence(failed.message);
    expect(readFileSync(join(dataDir, "postgres", "PG_VERSION"), "utf8")).toBe("15\n");
    writeFileSync(join(dataDir, "postgres", "PG_VERSION"), "18\n");
    await (await launch(dataDir)).stop();
  });

  test("a data directory of a PostgreSQL server itself", async () => {
    const dataDir = temporaryFolder();
    writeFileSync(join(dataDir, "PG_VERSION"), "17\n");
    const failed = await launchRefused(dataDir);
    expect(failed.code).toBe("DATA_DIR_FOREIGN");
    expect(failed.message).toContain("PostgreSQL 17 server");
    expectSentence(failed.message);
  });

  test("a cluster's place taken by other files", async () => {
    const dataDir = temporaryFolder();
    mkdirSync(join(dataDir, "postgres"));
    writeFileSync(join(dataDir, "postgres", "mine.txt"), "keep");
    const failed = await launchRefused(dataDir);
    expect(failed.code).toBe("DATA_DIR_FOREIGN");
    expectSentence(failed.message);
    expect(readFileSync(join(dataDir, "postgres", "mine.txt"), "utf8")).toBe("keep");
  });

  test("a damaged cluster: PostgreSQL's own reason is told, and nothing stays locked", async () => {
    await (await launch(dataDir)).stop();
    const [control, saved] = [join(dataDir, "postgres", "global", "pg_control"), join(dataDir, "saved")];
    cpSync(control, saved);
    writeFileSync(control, "");
    const failed = await launchRefused(dataDir);
    expect(failed.code).toBe("START_FAILED");
    expect(failed.message).toContain("pg_control");
    expectSentence(failed.message);
    writeFileSync(control, readFileSync(saved));
    await (await launch(dataDir)).stop();
  });

  test.skipIf(!isRoot)("data restored by root is handed to the database's user", async () => {
    await (await launch(dataDir)).stop();
    const restored = join(temporaryFolder(), "restored");
    cpSync(dataDir, restored, { recursive: true });
    chmodSync(join(restored, "postgres"), 0o700);
    const server = await launch(restored);
    expect(server.started.firstStart).toBe(false);
    await server.stop();
  });
});
