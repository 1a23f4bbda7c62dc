import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { chooseAccount } from "../../../server/postgres/account.ts";
import { findNative, prepareBinaries } from "../../../server/postgres/binaries.ts";
import { startEmbedded } from "../../../server/postgres/embedded.ts";
import { memoryBytesUsable } from "../../../server/postgres/memory.ts";
import { startPostmaster } from "../../../server/postgres/postmaster.ts";
import { settingsArguments, settingsFor } from "../../../server/postgres/settings.ts";
import { provideSocketDir } from "../../../server/postgres/socket.ts";
import { cleanUp, query, temporaryFolder } from "./launcher.ts";

setDefaultTimeout(60_000);
afterEach(cleanUp);

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const machine = {
  memoryBytes: 8 * GIB,
  diskBytesFree: 100 * GIB,
  connectionsMax: 50,
  socketDir: "/s",
  hasSharedMemoryFolder: true,
};

describe("settingsFor()", () => {
  test("grows with memory and disk, between bounds", () => {
    const sizes = (memoryBytes: number, diskBytesFree: number) => {
      const { shared_buffers, max_wal_size, work_mem } = settingsFor({ ...machine, memoryBytes, diskBytesFree });
      return [shared_buffers, max_wal_size, work_mem];
    };
    expect(sizes(128 * MIB, GIB)).toEqual([`${32 * 1024}kB`, "256MB", "2048kB"]);
    expect(sizes(2 * GIB, 16 * GIB)).toEqual([`${256 * 1024}kB`, "2048MB", `${Math.floor((5.12 * MIB) / 1024)}kB`]);
    expect(sizes(8 * GIB, 100 * GIB)).toEqual([`${1024 * 1024}kB`, "4096MB", "16384kB"]);
    expect(sizes(512 * GIB, 5000 * GIB)).toEqual([`${4 * 1024 * 1024}kB`, "4096MB", "16384kB"]);
  });

  test("never trades durability", () => {
    for (const memoryBytes of [64 * MIB, 64 * GIB]) {
      const settings = settingsFor({ ...machine, memoryBytes });
      expect(settings).toMatchObject({ fsync: "on", synchronous_commit: "on", full_page_writes: "on" });
    }
  });

  test("does without POSIX shared memory where there is none", () => {
    const typeOf = (hasSharedMemoryFolder: boolean) =>
      settingsFor({ ...machine, hasSharedMemoryFolder }).dynamic_shared_memory_type;
    expect([typeOf(true), typeOf(false)]).toEqual(["posix", "sysv"]);
  });

  test("quotes the socket folder, which PostgreSQL reads as a list", () => {
    expect(settingsFor({ ...machine, socketDir: '/a,b"c' }).unix_socket_directories).toBe('"/a,b""c"');
  });

  test("each setting is known to the real server, which runs with it", async () => {
    const server = await startEmbedded({ dataDir: join(temporaryFolder(), "data"), log: () => {}, connectionsMax: 50 });
    const rows = await query(server.target, "select name, source from pg_settings");
    const sources = new Map(rows.map(({ name, source }) => [String(name).toLowerCase(), source]));
    for (const name of Object.keys(settingsFor(machine))) {
      expect(`${name}: ${sources.get(name)}`).toBe(`${name}: command line`);
    }
    await server.stop();
  });

  test("the extremes start too: 128 MiB with no disk to spare, 512 GiB", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const first = await startEmbedded({ dataDir, log: () => {}, connectionsMax: 5 });
    await first.stop();
    const account = await chooseAccount([join(dataDir, "postgres")]);
    const native = await findNative();
    const { postgres } = await prepareBinaries({ native, copyDir: join(dataDir, "programs"), account });
    for (const memoryBytes of [128 * MIB, 512 * GIB]) {
      const socketDir = await provideSocketDir(dataDir, account);
      const args = settingsArguments(settingsFor({ ...machine, memoryBytes, diskBytesFree: 0, socketDir }));
      const running = await startPostmaster({
        postgres,
        cluster: join(dataDir, "postgres"),
        args,
        account,
        log: () => {},
      });
      expect(await query({ ...first.target, hosts: [socketDir] }, "select 1 as n")).toEqual([{ n: 1 }]);
      await running.stop();
    }
  });

  test("wal_compression is off because this build has only pglz; should that change, think again", async () => {
    const server = await startEmbedded({ dataDir: join(temporaryFolder(), "data"), log: () => {}, connectionsMax: 5 });
    const [row] = await query(server.target, "select enumvals from pg_settings where name = 'wal_compression'");
    expect(row).toEqual({ enumvals: ["pglz", "on", "off"] });
    await server.stop();
  });
});

describe("memoryBytesUsable()", () => {
  const reader = (files: Record<string, string>) => (path: string) => files[path] ?? null;

  const cases: [string, Record<string, string>, number][] = [
    ["no control groups", {}, 8 * GIB],
    ["version 2, own limit", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": `${GIB}\n` }, GIB],
    ["version 2, no limit", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" }, 8 * GIB],
    [
      "version 2, a limit on a group above",
      {
        "/proc/self/cgroup": "0::/system.slice/queen.service\n",
        "/sys/fs/cgroup/system.slice/queen.service/memory.max": "max\n",
        "/sys/fs/cgroup/system.slice/memory.max": `${2 * GIB}\n`,
      },
      2 * GIB,
    ],
    [
      "version 1 inside a container",
      {
        "/proc/self/cgroup": "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${GIB / 2}\n`,
      },
      GIB / 2,
    ],
    [
      "version 1 without a limit",
      { "/proc/self/cgroup": "4:memory:/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n" },
      8 * GIB,
    ],
    ["an empty file", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "" }, 8 * GIB],
  ];
  for (const [name, files, expected] of cases) {
    test(name, () => expect(memoryBytesUsable(reader(files), 8 * GIB)).toBe(expected));
  }

  test("of this machine: some, and no more than it has", () => {
    expect(memoryBytesUsable()).toBeGreaterThan(64 * MIB);
  });
});
