/**
 * What clients did and saw, with the time each call began and ended. A call took effect at some instant in between; the
 * checks in this folder ask whether any choice of instants explains all answers.
 *
 * @module
 */

/** Milliseconds of this process's clock. */
export interface Span {
  start: number;
  end: number;
}

/** One message of a push, or of a push in a transaction that succeeded. */
export interface PushRecord extends Span {
  partition: string;
  transactionId: string;
  /** `buffered`: taken by the server's spool, so that it gets there later, in its turn. `unknown`: no answer came. */
  outcome: "queued" | "duplicate" | "buffered" | "unknown";
  messageId: string | null;
}

/** One message as a pop answered it. */
export interface Delivered {
  partition: string;
  transactionId: string;
  messageId: string;
}

/** A pop. */
export interface PopRecord extends Span {
  group: string;
  /** Null: any partition. */
  partition: string | null;
  autoAck: boolean;
  /** Empty with `autoAck`, or without messages. */
  leaseId: string;
  outcome: "answered" | "unknown";
  messages: Delivered[];
}

/** What was said of one message. */
export interface AckRecord extends Span {
  /** Items of one request were decided together. */
  call: number;
  group: string;
  partition: string;
  transactionId: string;
  leaseId: string | null;
  status: "completed" | "failed" | "retry" | "dlq";
  /** `refused`: invalid or expired lease. */
  outcome: "recorded" | "refused" | "missing" | "unknown";
  dlq: boolean;
  /** Part of a transaction: `failed` dead-letters at once and gives the lease back. */
  final: boolean;
}

/** Something else that moves positions. Null means all. */
export interface ResetRecord extends Span {
  /**
   * `end`: a seek to the end; `back`: messages may come again; `remove`: a message is gone; `expire`: leases may have ended
   * early, or late.
   */
  effect: "end" | "back" | "remove" | "expire";
  group: string | null;
  partition: string | null;
  transactionId: string | null;
}

/** An attempt to extend a lease. */
export interface ExtensionRecord extends Span {
  leaseId: string;
  ms: number;
  outcome: "extended" | "refused" | "unknown";
}

/** A transaction that also pushed. Nobody else pushes its ids, so that they tell whether it took effect. */
export interface TransactionRecord extends Span {
  /** That of its acknowledgements. */
  call: number;
  outcome: "committed" | "rolled back" | "unknown";
  pushes: { partition: string; transactionId: string }[];
}

/** A dead letter, as it is listed at the end. */
export interface DeadLetterRecord {
  group: string;
  partition: string;
  transactionId: string;
}

/** A message of the log; its index is its offset. */
export interface LogEntry {
  transactionId: string;
  messageId: string;
}

/** Everything about one queue. */
export class History {
  readonly leaseMs: number;
  readonly retryLimit: number;
  readonly pushes: PushRecord[] = [];
  readonly pops: PopRecord[] = [];
  readonly acks: AckRecord[] = [];
  readonly resets: ResetRecord[] = [];
  readonly extensions: ExtensionRecord[] = [];
  /** When the database may have been away: a pop then answers empty, whatever there is. */
  readonly outages: Span[] = [];
  readonly transactions: TransactionRecord[] = [];
  /** Null: nobody looked. */
  deadLetters: DeadLetterRecord[] | null = null;
  /** By partition; read from the store at the end. */
  readonly log = new Map<string, LogEntry[]>();
  #calls = 0;

  constructor(leaseMs: number, retryLimit: number) {
    this.leaseMs = leaseMs;
    this.retryLimit = retryLimit;
  }

  /**
   * Notes when the database may have been away. What had no answer by then may take effect until some time after it.
   */
  addOutage(start: number, end: number): void {
    this.outages.push({ start, end });
    const lost = [this.pushes, this.pops, this.acks, this.extensions, this.transactions].flatMap(
      (records): (Span & { outcome: string })[] => records.filter(({ outcome }) => outcome === "unknown"),
    );
    const moves = this.resets.filter(({ effect }) => effect !== "expire");
    for (const record of [...lost, ...moves]) {
      if (record.end >= start && record.start <= end) record.end = Math.max(record.end, end + AFTERMATH_MS);
    }
  }

  /** @returns A number for the acknowledgements of one request. */
  newCall(): number {
    this.#calls += 1;
    return this.#calls;
  }
}

/** How long after a client lost sight of it a call may still take effect: the server may die, its database goes on. */
const AFTERMATH_MS = 2_000;

/** How long a client that got no answer pauses: one that asks a dead server again and again stops the others from working. */
const BACKOFF_MS = 20;

/**
 * Times a call. `value` is undefined when it threw, or was answered 5xx, or 409 (it was interrupted, and repeating it is
 * not safe): then its outcome is unknown.
 */
export async function timed<T>(call: () => Promise<T>): Promise<Span & { value: T | undefined }> {
  const start = performance.now();
  try {
    const value = await call();
    const status = (value as { status?: unknown } | null)?.status;
    if (typeof status !== "number" || (status < 500 && status !== 409)) return { start, end: performance.now(), value };
  } catch {
    // A broken connection, or a client that went away.
  }
  const end = performance.now() + AFTERMATH_MS;
  await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS));
  return { start, end, value: undefined };
}
