import { chmod, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Account, handOver, makeFolders, statOrNull } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { EmbeddedError } from "./errors.ts";
import { renewIdentity } from "./identity.ts";
import type { EmbeddedLog } from "./log.ts";
import { run } from "./run.ts";
import { syncFolder, unpack } from "./unpack.ts";

/** Superuser and database of an embedded cluster. */
export const CLUSTER_USER = "queen";
export const CLUSTER_DATABASE = "queen";

const DRAFT_PREFIX = "postgres.new-";
const DRAFT_REMOVALS_MAX = 40;
const DRAFT_REMOVAL_PAUSE_MS = 25;

/** A cluster: where it is, who runs it, with what. */
export interface ClusterOptions {
  dataDir: string;
  /** The cluster itself, right below `dataDir`. */
  cluster: string;
  binaries: Binaries;
  /** Archive of a new cluster that these programs made; null when there is none, and `initdb` makes one. */
  template: string | null;
  account: Account;
  log: EmbeddedLog;
}

/**
 * Makes sure that a cluster of this major version with the database of the queue exists. A new one is made beside its
 * place and moved there when it is complete, so an interrupted attempt leaves nothing but a draft, which the next
 * attempt removes. An existing cluster is never changed, except that root hands a root-owned one to the account.
 *
 * @param options - Folder, programs and account; the caller owns the folder.
 * @returns True when it was made now.
 * @throws {@link EmbeddedError} `DATA_DIR_OTHER_VERSION`, `DATA_DIR_FOREIGN`, `DATA_DIR_UNWRITABLE` (it belongs to
 *   another user), `START_FAILED` (initdb failed; its reason is in the message).
 */
export async function ensureCluster(options: ClusterOptions): Promise<boolean> {
  const interrupted = await removeDrafts(options.dataDir);
  if (await statOrNull(options.cluster)) {
    // Owner first: the version in another user's folder cannot be read.
    await checkOwner(options);
    await checkVersion(options);
    return false;
  }
  const draft = join(options.dataDir, DRAFT_PREFIX + crypto.randomUUID());
  try {
    options.log("info", "database_create", { folder: draft, version: options.binaries.version });
    if (options.template === null) await makeCluster(draft, options);
    else await copyTemplate(draft, options.template, options.account);
    await rename(draft, options.cluster);
    await syncFolder(options.dataDir);
    // By now an initdb that outlived its server has failed, and may have made its folder once more before it did.
    if (interrupted) await removeDrafts(options.dataDir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
  return true;
}

/**
 * Refuses a folder that is a PostgreSQL cluster itself instead of holding one of ours.
 *
 * @param dataDir - Absolute path of the data folder.
 * @throws {@link EmbeddedError} `DATA_DIR_FOREIGN`.
 */
export async function refuseForeign(dataDir: string): Promise<void> {
  const version = await readVersion(dataDir);
  if (version === null) return;
  throw new EmbeddedError(
    "DATA_DIR_FOREIGN",
    `The data folder ${dataDir} is itself the data directory of a PostgreSQL ${version} server; set QUEEN_DATA_DIR to a folder that Queen may have for itself, or DATABASE_URL to use that server`,
  );
}

async function checkVersion({ cluster, binaries }: ClusterOptions): Promise<void> {
  const version = await readVersion(cluster);
  if (version === String(binaries.major)) return;
  if (version === null) {
    throw new EmbeddedError(
      "DATA_DIR_FOREIGN",
      `The folder ${cluster} exists but holds no PostgreSQL data (no PG_VERSION in it); move it away, or set QUEEN_DATA_DIR to another folder`,
    );
  }
  throw new EmbeddedError(
    "DATA_DIR_OTHER_VERSION",
    `The data in ${cluster} was made by PostgreSQL ${version}, and this Queen carries PostgreSQL ${binaries.major}; set QUEEN_DATA_DIR to another folder, or run PostgreSQL ${version} on that one yourself and set DATABASE_URL to it`,
  );
}

async function readVersion(folder: string): Promise<string | null> {
  return await readFile(join(folder, "PG_VERSION"), "utf8").then(
    (text) => text.trim(),
    () => null,
  );
}

async function checkOwner({ cluster, account }: ClusterOptions): Promise<void> {
  const { uid } = await stat(cluster);
  if (uid === account.uid) return;
  // Copied or restored by root: PostgreSQL insists on owning its files.
  if (account.switched && uid === 0) return await handOver(cluster, account);
  throw new EmbeddedError(
    "DATA_DIR_UNWRITABLE",
    `The data in ${cluster} belongs to user ${uid} and this server runs as user ${account.uid}; start Queen as that user (or as root), or set QUEEN_DATA_DIR to another folder`,
  );
}

/**
 * An initdb that outlived its server may still write there for a moment: it fails once its files are gone.
 *
 * @returns Whether there were any.
 */
async function removeDrafts(dataDir: string): Promise<boolean> {
  let found = false;
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(DRAFT_PREFIX)) continue;
    found = true;
    for (let attempt = 0; attempt < DRAFT_REMOVALS_MAX; attempt++) {
      const removed = await rm(join(dataDir, name), { recursive: true, force: true }).then(
        () => true,
        () => false,
      );
      if (removed) break;
      await sleep(DRAFT_REMOVAL_PAUSE_MS);
    }
  }
  return found;
}

async function makeCluster(draft: string, options: ClusterOptions): Promise<void> {
  await makeFolders(draft);
  await handOver(draft, options.account);
  await initialise(draft, options);
  await createDatabase(draft, options);
}

/** Asks nothing of the machine, where `initdb` wants a shell and a name for the user. */
async function copyTemplate(draft: string, template: string, account: Account): Promise<void> {
  await unpack(template, draft);
  await chmod(draft, 0o700);
  await renewIdentity(draft);
  await handOver(draft, account);
}

async function initialise(draft: string, { binaries, account }: ClusterOptions): Promise<void> {
  const result = await run(
    binaries.initdb,
    [
      `--pgdata=${draft}`,
      `--username=${CLUSTER_USER}`,
      // Only the socket can be reached, and its folder is 0700: the file system is the authentication.
      "--auth=trust",
      "--encoding=UTF8",
      "--no-locale",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--text-search-config=simple",
    ],
    account,
  );
  if (result.code !== 0) throw new EmbeddedError("START_FAILED", explainInitdb(result.stderr, draft, account));
}

function explainInitdb(stderr: string, draft: string, account: Account): string {
  if (/could not look up effective user ID|user does not exist/.test(stderr)) {
    return `PostgreSQL cannot make its data folder because user ${account.uid} has no name on this machine; add the user to /etc/passwd, or set DATABASE_URL to a PostgreSQL server of your own`;
  }
  const lines = stderr.split("\n").filter((line) => line.includes("error:") || line.includes("FATAL:"));
  const reason = (lines[0] ?? stderr.trim().split("\n")[0] ?? "").replace(/^.*?(error|FATAL):\s*/, "");
  return `PostgreSQL could not make its data folder ${draft} (${reason || "initdb gave no reason"}); check free space and rights, or set QUEEN_DATA_DIR to another folder`;
}

async function createDatabase(draft: string, { binaries, account }: ClusterOptions): Promise<void> {
  const args = ["--single", "-D", draft, "-c", "log_min_messages=error", "postgres"];
  const result = await run(binaries.postgres, args, account, `create database "${CLUSTER_DATABASE}"\n`);
  // A single-user server exits with 0 even when the statement failed.
  if (result.code === 0 && !/ERROR|FATAL|PANIC/.test(result.stderr)) return;
  throw new EmbeddedError(
    "START_FAILED",
    `PostgreSQL could not create its database in ${draft} (${result.stderr.trim().split("\n")[0]}); check free space, or set QUEEN_DATA_DIR to another folder`,
  );
}
