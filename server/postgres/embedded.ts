/**
 * The embedded PostgreSQL: a real server of our own for people who configured none.
 *
 * Below the data folder:
 *
 * - `postgres/` the cluster, 0700; `postgres.new-*` one that is being made
 * - `socket/` the unix socket, 0700; elsewhere when the path would be too long
 * - `owner.lock`, `owner.json` who uses the folder
 * - `programs/` a copy of the PostgreSQL programs, when a full build carries them, or when the installed ones cannot be
 *   used where they are
 *
 * @module
 */

import { access, constants, realpath, stat, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Account, chooseAccount, makeFolders, openWay } from "./account.ts";
import { type Binaries, findNative, prepareBinaries, prepareCarried } from "./binaries.ts";
import { CLUSTER_DATABASE, CLUSTER_USER, type ClusterOptions, ensureCluster, refuseForeign } from "./cluster.ts";
import { EmbeddedError, systemErrorCode } from "./errors.ts";
import type { EmbeddedLog } from "./log.ts";
import { memoryBytesUsable } from "./memory.ts";
import { acquireOwner, type OwnerLock } from "./owner.ts";
import { type Exit, type Postmaster, startPostmaster } from "./postmaster.ts";
import { settlePrevious } from "./previous.ts";
import { SOCKET_PORT, settingsArguments, settingsFor } from "./settings.ts";
import { provideSocketDir, removeSocketDir } from "./socket.ts";
import { type CarriedPostgres, removeOtherPrograms } from "./unpack.ts";

export { EmbeddedError, type EmbeddedErrorCode } from "./errors.ts";
export type { EmbeddedLog } from "./log.ts";
export type { Exit } from "./postmaster.ts";

/** What an embedded server is started with. */
export interface EmbeddedOptions {
  /** Folder for everything; made when missing. The cluster lies below it. */
  dataDir: string;
  log: EmbeddedLog;
  /** Connections that the workers' pools may open, all together; the server allows some more. */
  connectionsMax: number;
  /** What a full build carries; without it the PostgreSQL that npm installed is used. */
  carried?: CarriedPostgres | null;
}

/** A running embedded server. */
export interface EmbeddedServer {
  /** How to connect. `hosts` holds the socket's folder. */
  target: { hosts: string[]; port: number; user: string; password: null; database: string };
  /** Version of PostgreSQL, such as `18.4`. */
  version: string;
  /** The data folder, absolute and without symbolic links. */
  dataDir: string;
  pid: number;
  /** True when the cluster was made by this start. */
  firstStart: boolean;
  /**
   * Stops the database (fast shutdown: open transactions are rolled back, a checkpoint is written), then gives the data
   * folder free. Calling it again, or after the database ended by itself, is harmless.
   */
  stop(): Promise<void>;
  /** Settles when the database ended, by `stop()` or by itself. The folder stays owned until `stop()`. */
  exited: Promise<Exit>;
}

/** How long backends of a killed postmaster may take to notice, in milliseconds. */
const LEFTOVER_WAIT_MS = 10_000;

/**
 * Starts PostgreSQL on a data folder, making the cluster first when there is none, and recovering whatever an earlier
 * server left behind.
 *
 * @param options - Folder, log, and how many connections will be wanted.
 * @returns The server, accepting connections.
 * @throws {@link EmbeddedError} with one sentence for a person; nothing is left running or locked then.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  // First, so that a build without PostgreSQL leaves no empty folder behind.
  const source = options.carried ?? (await findNative());
  const wanted = resolve(options.dataDir);
  const account = await chooseAccount([join(wanted, "postgres"), wanted]);
  const dataDir = await openDataDir(wanted);
  let owner: OwnerLock | undefined;
  let socketDir: string | undefined;
  try {
    await openWay(dataDir, account);
    await refuseForeign(dataDir);
    owner = acquireOwner(dataDir, account);
    const setup = await setUp(source, dataDir, account, options.log);
    await settlePrevious(setup.cluster, options.log);
    if (options.carried) await removeOtherPrograms(join(dataDir, "programs"), setup.binaries.native);
    const firstStart = await ensureCluster(setup);
    socketDir = await provideSocketDir(dataDir, account);
    const postmaster = await startOnCluster(setup, socketDir, options.connectionsMax);
    return serverOf(setup, socketDir, postmaster, owner, firstStart);
  } catch (error) {
    if (socketDir !== undefined) await removeSocketDir(socketDir);
    owner?.release();
    if (account.switched && ["EPERM", "EINVAL"].includes(systemErrorCode(error))) throw cannotSwitch(account, error);
    throw asEmbeddedError(error, dataDir);
  }
}

async function setUp(
  source: string | CarriedPostgres,
  dataDir: string,
  account: Account,
  log: EmbeddedLog,
): Promise<ClusterOptions> {
  const programsDir = join(dataDir, "programs");
  const binaries: Binaries =
    typeof source === "string"
      ? await prepareBinaries({ native: source, copyDir: programsDir, account })
      : await prepareCarried({ carried: source, programsDir, account, log });
  const template = typeof source === "string" ? null : source.cluster;
  return { dataDir, cluster: join(dataDir, "postgres"), binaries, template, account, log };
}

function serverOf(
  setup: ClusterOptions,
  socketDir: string,
  postmaster: Postmaster,
  owner: OwnerLock,
  firstStart: boolean,
): EmbeddedServer {
  return {
    target: { hosts: [socketDir], port: SOCKET_PORT, user: CLUSTER_USER, password: null, database: CLUSTER_DATABASE },
    version: setup.binaries.version,
    dataDir: setup.dataDir,
    pid: postmaster.pid,
    firstStart,
    async stop() {
      await postmaster.stop();
      await removeSocketDir(socketDir);
      owner.release();
    },
    exited: postmaster.exited,
  };
}

/** Root in a container may lack the right to hand over files or to become another user. */
function cannotSwitch(account: Account, cause: unknown): EmbeddedError {
  return new EmbeddedError(
    "START_FAILED",
    `PostgreSQL refuses to run as root, and this process may not start it as user ${account.uid}; start Queen as an ordinary user, or set DATABASE_URL to a PostgreSQL server of your own`,
    cause,
  );
}

/** Makes the folder when it is missing, and checks that this user may write there. */
async function openDataDir(wanted: string): Promise<string> {
  try {
    await makeFolders(wanted);
    const dataDir = await realpath(wanted);
    if (!(await stat(dataDir)).isDirectory()) throw Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return dataDir;
  } catch (error) {
    throw asEmbeddedError(error, wanted);
  }
}

/** Backends that outlive their postmaster hold its shared memory until they notice: PostgreSQL refuses to start so long. */
async function startOnCluster(setup: ClusterOptions, socketDir: string, connectionsMax: number): Promise<Postmaster> {
  const { cluster, account, log } = setup;
  const disk = await statfs(cluster);
  const settings = settingsFor({
    memoryBytes: memoryBytesUsable(),
    diskBytesFree: disk.bavail * disk.bsize,
    connectionsMax,
    socketDir,
    hasSharedMemoryFolder: await mayWrite("/dev/shm"),
  });
  const start = { postgres: setup.binaries.postgres, cluster, args: settingsArguments(settings), account, log };
  for (const deadline = Date.now() + LEFTOVER_WAIT_MS; ; await sleep(100)) {
    try {
      return await startPostmaster(start);
    } catch (error) {
      const leftover = error instanceof Error && error.message.includes("pre-existing shared memory block");
      if (!leftover || Date.now() > deadline) throw error;
    }
  }
}

/** Everybody may write there where it exists; a bare root does not have it. */
async function mayWrite(folder: string): Promise<boolean> {
  return await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}

const WHY: Record<string, string> = {
  EACCES: "this user may not write there",
  EPERM: "the system does not allow it",
  EROFS: "the disk is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a file is in the way",
  EEXIST: "a file is in the way",
  ENOENT: "it cannot be made there",
};

function asEmbeddedError(error: unknown, dataDir: string): EmbeddedError {
  if (error instanceof EmbeddedError) return error;
  const code = systemErrorCode(error);
  const why = WHY[code] ?? (error instanceof Error ? error.message : String(error));
  const kind = code in WHY ? "DATA_DIR_UNWRITABLE" : "START_FAILED";
  return new EmbeddedError(
    kind,
    `The data folder ${dataDir} cannot be used (${why}); set QUEEN_DATA_DIR to a folder this user may write to`,
    error,
  );
}
