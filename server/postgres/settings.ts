const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Connections beyond those of the workers: LISTEN, migrations, a person with psql, and PostgreSQL's reserve of 3. */
const CONNECTIONS_EXTRA = 15;

/** What the settings are fitted to. */
export interface SettingsInput {
  /** Memory the machine or its control group grants, in bytes. */
  memoryBytes: number;
  /** Free space on the disk of the data folder, in bytes. */
  diskBytesFree: number;
  /** Connections the server's own pools may open. */
  connectionsMax: number;
  /** Absolute folder for the socket. */
  socketDir: string;
  /** Whether POSIX shared memory (`/dev/shm`) can be used. */
  hasSharedMemoryFolder: boolean;
}

/**
 * Chooses PostgreSQL settings for a queue on this machine. They are handed over on the command line, so they always
 * belong to the running program and never to the one that once made the folder.
 *
 * Durability is never traded: `fsync`, `synchronous_commit` and `full_page_writes` are on. `wal_compression` stays off:
 * this build offers only pglz (no zstd, no lz4), which costs more CPU than the few full-page images of a queue are worth.
 *
 * @param input - Machine and folder.
 * @returns Settings by name, as text that PostgreSQL accepts.
 */
export function settingsFor(input: SettingsInput): Record<string, string> {
  return { ...CONSTANT, ...memorySettings(input), ...walSettings(input), ...connectionSettings(input) };
}

/**
 * Writes settings as arguments of `postgres`.
 *
 * @param settings - Settings by name.
 * @returns `-c`, `name=value`, for each.
 */
export function settingsArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

const CONSTANT: Record<string, string> = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  // Nothing replicates from an embedded server; minimal also lets migrations skip the log for tables they create.
  wal_level: "minimal",
  max_wal_senders: "0",
  max_logical_replication_workers: "0",
  wal_compression: "off",
  // Statements are short and prepared: compiling or parallelising one costs more than running it, and a parallel
  // dashboard query would take the cores from the queue.
  jit: "off",
  max_parallel_workers_per_gather: "0",
  random_page_cost: "1.1",
  // Partition and cursor rows are few, hot and narrow: vacuum early and finish quickly.
  autovacuum: "on",
  autovacuum_naptime: "15s",
  autovacuum_vacuum_scale_factor: "0.05",
  autovacuum_analyze_scale_factor: "0.05",
  autovacuum_vacuum_cost_limit: "2000",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  cluster_name: "queen",
  // Lines go to the log of the server, which adds time and source. Statement text may carry messages: never logged.
  logging_collector: "off",
  log_destination: "stderr",
  log_line_prefix: "",
  log_min_messages: "warning",
  log_min_error_statement: "panic",
  log_checkpoints: "off",
};

function memorySettings({ memoryBytes, connectionsMax, hasSharedMemoryFolder }: SettingsInput): Record<string, string> {
  const sharedBytes = clamp(memoryBytes / 8, 32 * MIB, 4 * GIB);
  return {
    shared_buffers: kilobytes(sharedBytes),
    effective_cache_size: kilobytes(clamp(memoryBytes / 2, 64 * MIB, 256 * GIB)),
    maintenance_work_mem: kilobytes(clamp(memoryBytes / 32, 16 * MIB, 512 * MIB)),
    work_mem: kilobytes(clamp(memoryBytes / 8 / Math.max(connectionsMax, 1), 2 * MIB, 16 * MIB)),
    dynamic_shared_memory_type: hasSharedMemoryFolder ? "posix" : "sysv",
  };
}

/** A checkpoint every few gigabytes of log: rare enough to cost little, short enough to recover from in seconds. */
function walSettings({ diskBytesFree }: SettingsInput): Record<string, string> {
  const maxBytes = clamp(diskBytesFree / 8, 256 * MIB, 4 * GIB);
  return {
    checkpoint_timeout: "10min",
    checkpoint_completion_target: "0.9",
    max_wal_size: megabytes(maxBytes),
    min_wal_size: megabytes(maxBytes / 4),
  };
}

function connectionSettings({ connectionsMax, socketDir }: SettingsInput): Record<string, string> {
  return {
    max_connections: String(Math.max(1, Math.ceil(connectionsMax)) + CONNECTIONS_EXTRA),
    listen_addresses: "",
    port: String(SOCKET_PORT),
    // A list separated by commas: quoted, so that a folder may have one in its name.
    unix_socket_directories: `"${socketDir.replaceAll('"', '""')}"`,
    unix_socket_permissions: "0700",
  };
}

/** Number in the name of the socket; nothing listens on TCP. */
export const SOCKET_PORT = 5432;

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

function kilobytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}kB`;
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)}MB`;
}
