/**
 * Every environment variable the server reads, as one table: what `config.ts` parses by and documentation is made from.
 *
 * @module
 */
import { ACCESS_VARIABLES } from "./config-variables-access.ts";
import { SPOOL_VARIABLES } from "./config-variables-spool.ts";

/** Fewest connections a worker can do its work with: one for each kind of work (push, pop, ack, looking). */
export const CONNECTIONS_PER_WORKER_MIN = 4;
/** Connections a worker gets when `DB_POOL_SIZE` is not set. */
export const CONNECTIONS_PER_WORKER_DEFAULT = 8;
/** Most workers of one instance: lease ids carry six bits of the worker's index. */
export const WORKERS_MAX = 64;

/** One environment variable, as data: parsing and documentation come from the same place. */
export interface Variable {
  readonly type: "integer" | "boolean" | "text" | "choice" | "keys";
  /** Null when the value is absent or computed unless set; `defaultText` then says what happens. */
  readonly default: number | boolean | string | null;
  readonly defaultText?: string;
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Never printed, not even in an error message. */
  readonly secret?: boolean;
  /** Taken with the white space around it. */
  readonly raw?: boolean;
  readonly description: string;
}

const INT_MAX = 2_147_483_647;

/** Every variable that is read, by name, in the order documentation shows them. */
export const VARIABLES = {
  PORT: {
    type: "integer",
    default: 6632,
    min: 0,
    max: 65_535,
    description: "Port to listen on; 0 picks a free one and prints it.",
  },
  HOST: { type: "text", default: "0.0.0.0", description: "Address to listen on." },
  NUM_WORKERS: {
    type: "integer",
    default: null,
    defaultText: "one per core",
    min: 1,
    max: WORKERS_MAX,
    description: "Worker threads.",
  },
  WORKER_ID: {
    type: "text",
    default: null,
    defaultText: "the host name",
    description: "Name of this instance in traces, metrics and health.",
  },
  LOG_LEVEL: {
    type: "choice",
    default: "info",
    choices: ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
    description: "Least severe log line that is written.",
  },
  PERFORMANCE_LOG_INTERVAL_S: {
    type: "integer",
    default: 10,
    min: 0,
    max: 3_600,
    unit: "s",
    description: "Time between two lines of rates and latencies in the log, which come while there is traffic; 0 none.",
  },
  PERFORMANCE_LOG_LEVEL: {
    type: "choice",
    default: "info",
    choices: ["debug", "info"],
    description: "Level of these lines.",
  },
  DATABASE_URL: {
    type: "text",
    default: null,
    secret: true,
    defaultText: "an embedded PostgreSQL",
    description: "postgres:// address of a PostgreSQL of your own; wins over PG_*.",
  },
  PG_HOST: {
    type: "text",
    default: null,
    defaultText: "an embedded PostgreSQL",
    description:
      "Host of a PostgreSQL of your own, or the directory of its socket; several hosts, each with its :port if need be, separated by commas: the primary among them is used.",
  },
  PG_PORT: { type: "integer", default: 5432, min: 1, max: 65_535, description: "Port of that PostgreSQL." },
  PG_USER: { type: "text", default: "postgres", description: "User name there." },
  PG_PASSWORD: { type: "text", default: "postgres", secret: true, description: "Password there." },
  PG_DB: { type: "text", default: "postgres", description: "Database name there." },
  PG_USE_SSL: { type: "boolean", default: false, description: "Speak TLS to the database of PG_HOST." },
  PG_SSL_REJECT_UNAUTHORIZED: {
    type: "boolean",
    default: true,
    description: "With PG_USE_SSL, verify the certificate.",
  },
  PG_PREPARE: {
    type: "boolean",
    default: true,
    description: "Prepare hot statements; false behind a pooler in transaction mode.",
  },
  QUEEN_DATA_DIR: {
    type: "text",
    default: null,
    defaultText: "~/.local/share/queen (root: /var/lib/queen)",
    description: "Folder of the embedded PostgreSQL.",
  },
  XDG_DATA_HOME: {
    type: "text",
    default: null,
    defaultText: "~/.local/share",
    description: "On Linux, where an ordinary user's programs keep data; QUEEN_DATA_DIR wins.",
  },
  DB_POOL_SIZE: {
    type: "integer",
    default: null,
    defaultText: `${CONNECTIONS_PER_WORKER_DEFAULT} per worker`,
    min: 1,
    max: 10_000,
    unit: "connections",
    description: `Database connections of all workers together, at least ${CONNECTIONS_PER_WORKER_MIN} per worker.`,
  },
  DB_IDLE_TIMEOUT: {
    type: "integer",
    default: 30_000,
    min: 0,
    max: INT_MAX,
    unit: "ms",
    description: "Close a database connection that was idle this long; 0 never.",
  },
  DB_CONNECTION_TIMEOUT: {
    type: "integer",
    default: 2_000,
    min: 1,
    max: INT_MAX,
    unit: "ms",
    description: "Give up connecting to the database after this.",
  },
  DB_STATEMENT_TIMEOUT: {
    type: "integer",
    default: 30_000,
    min: 0,
    max: INT_MAX,
    unit: "ms",
    description: "Longest a statement may run; 0 is no limit.",
  },
  DB_LOCK_TIMEOUT: {
    type: "integer",
    default: 10_000,
    min: 0,
    max: INT_MAX,
    unit: "ms",
    description: "Longest a statement may wait for a lock; 0 is no limit.",
  },
  DEFAULT_TIMEOUT: {
    type: "integer",
    default: 30_000,
    min: 0,
    max: 3_600_000,
    unit: "ms",
    description: "Long-poll limit of a pop that names none.",
  },
  DEFAULT_BATCH_SIZE: {
    type: "integer",
    default: 1,
    min: 1,
    max: 100_000,
    unit: "messages",
    description: "Batch of a pop that names none.",
  },
  DEFAULT_SUBSCRIPTION_MODE: {
    type: "text",
    default: "",
    defaultText: "empty: all messages",
    description: "Subscription mode of a pop that names none.",
  },
  POP_WAIT_INITIAL_INTERVAL_MS: {
    type: "integer",
    default: 100,
    min: 1,
    max: INT_MAX,
    unit: "ms",
    description: "First pause between the looks of a parked pop that nobody woke.",
  },
  POP_WAIT_MAX_INTERVAL_MS: {
    type: "integer",
    default: 1_000,
    min: 1,
    max: INT_MAX,
    unit: "ms",
    description: "Longest such pause.",
  },
  RETENTION_INTERVAL: {
    type: "integer",
    default: 300_000,
    min: 1,
    max: INT_MAX,
    unit: "ms",
    description: "Pause between runs of the retention job.",
  },
  RETENTION_BATCH_SIZE: {
    type: "integer",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "rows",
    description: "Most rows one statement of that job deletes.",
  },
  EVICTION_INTERVAL: {
    type: "integer",
    default: 60_000,
    min: 1,
    max: INT_MAX,
    unit: "ms",
    description: "Pause between runs of the eviction job.",
  },
  EVICTION_BATCH_SIZE: {
    type: "integer",
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: "rows",
    description: "Most rows one statement of that job deletes.",
  },
  PARTITION_CLEANUP_DAYS: {
    type: "integer",
    default: 30,
    min: 0,
    max: 36_500,
    unit: "days",
    description: "Remove empty partitions untouched for this long; 0 never.",
  },
  METRICS_RETENTION_DAYS: {
    type: "integer",
    default: 90,
    min: 1,
    max: 36_500,
    unit: "days",
    description: "Keep measurements this long.",
  },
  METRICS_SAMPLE_INTERVAL_MS: {
    type: "integer",
    default: 1_000,
    min: 100,
    max: 60_000,
    unit: "ms",
    description: "Pause between looks at the workers.",
  },
  METRICS_AGGREGATE_INTERVAL_S: {
    type: "integer",
    default: 60,
    min: 1,
    max: 3_600,
    unit: "s",
    description: "What a stored measurement adds up.",
  },
  QUEEN_ENCRYPTION_KEY: {
    type: "keys",
    default: null,
    max: 1,
    secret: true,
    defaultText: "unset",
    description: "Key that encrypts payloads at rest: 64 hexadecimal digits.",
  },
  QUEEN_ENCRYPTION_PREVIOUS_KEYS: {
    type: "keys",
    default: null,
    max: 16,
    secret: true,
    defaultText: "unset",
    description: "Earlier keys, separated by commas: they only decrypt.",
  },
  QUEEN_AUTO_CREATE: { type: "boolean", default: true, description: "A push to an unknown queue creates it." },
  MAX_BODY_SIZE: {
    type: "integer",
    default: 104_857_600,
    min: 1_024,
    max: 1_073_741_824,
    unit: "bytes",
    description: "Largest request body; a larger one is answered 413.",
  },
  BODY_TIMEOUT: {
    type: "integer",
    default: 60_000,
    min: 1_000,
    max: 240_000,
    unit: "ms",
    description: "Longest time a request body may take to arrive; a slower one is answered 408.",
  },
  BACKLOG_REQUESTS_MAX: {
    type: "integer",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: "requests",
    description: "Most unanswered requests per worker, parked polls not counted; past it 503.",
  },
  BACKLOG_POLLS_MAX: {
    type: "integer",
    default: 50_000,
    min: 1,
    max: 1_000_000,
    unit: "requests",
    description: "Most parked polls per worker; past it a poll is answered empty.",
  },
  BACKLOG_BYTES_MAX: {
    type: "integer",
    default: 268_435_456,
    min: 1_048_576,
    max: 17_179_869_184,
    unit: "bytes",
    description: "Most bytes of unanswered request bodies per worker; past it 503.",
  },
  BACKLOG_WAIT_MAX_MS: {
    type: "integer",
    default: 250,
    min: 1,
    max: 60_000,
    unit: "ms",
    description:
      "Once more than 64 requests of a kind (writing, acknowledging, popping, looking) have waited at a worker for half a second, it takes only as many as it answers within this time; past it 503.",
  },
  WORKER_STUCK_MS: {
    type: "integer",
    default: 30_000,
    min: 0,
    max: INT_MAX,
    unit: "ms",
    description: "Replace a worker whose event loop stood still this long while the router's ran; 0 never.",
  },
  SEGMENT_CACHE_BYTES: {
    type: "integer",
    default: null,
    defaultText: "a sixteenth of the memory for all workers together, 32 to 256 MiB for each",
    min: 0,
    max: 17_179_869_184,
    unit: "bytes",
    description: "Memory of each worker for message segments it has seen.",
  },
  COMPRESSION: {
    type: "choice",
    default: "auto",
    choices: ["off", "on", "auto"],
    description:
      "Compress answers over 1 KiB (gzip, zstd) for clients that accept it; auto: not for those on this machine or in a private network.",
  },
  ...SPOOL_VARIABLES,
  ...ACCESS_VARIABLES,
} as const satisfies Record<string, Variable>;

type ValueOf<V extends Variable> =
  | (V["type"] extends "integer"
      ? number
      : V["type"] extends "boolean"
        ? boolean
        : V["type"] extends "keys"
          ? string[]
          : string)
  | (V["default"] extends null ? null : never);

/** What the variables say, by name: each parsed alone. */
export type Values = { [Name in keyof typeof VARIABLES]: ValueOf<(typeof VARIABLES)[Name]> };
