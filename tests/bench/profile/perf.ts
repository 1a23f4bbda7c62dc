/**
 * What perf sees of the server and of PostgreSQL that samplers of JavaScript and statistics of statements cannot: time in the
 * kernel by system call, and inside PostgreSQL by kind of work.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join } from "node:path";

const FREQUENCY_HZ = 499;
const REPORT_BYTES_MAX = 512 * 1024 * 1024;

/** System calls, and what they are for. The first that a kernel stack mentions decides. */
const KERNEL: [what: string, pattern: RegExp][] = [
  ["kernel: flush to disk", /f(data)?sync|sync_file_range/],
  ["kernel: receive", /sys_(recv|read\b)|sock_recvmsg|unix_stream_read|tcp_recvmsg/],
  ["kernel: send", /sys_(send|writev?\b)|sock_sendmsg|sock_write_iter|unix_stream_sendmsg|tcp_sendmsg/],
  ["kernel: files", /sys_p(read|write)|vfs_(read|write)|sys_(open|fallocate|lseek|ftruncate)/],
  ["kernel: wait and wake", /epoll|futex|poll|sys_nanosleep|sched_yield|schedule|sigsuspend|eventfd/],
  ["kernel: give memory back", /madvise|munmap|zap_page/],
  ["kernel: page faults", /page_fault|exc_page/],
  ["kernel: memory", /mmap|mprotect|brk/],
];

/** Kinds of work inside PostgreSQL by the innermost function. */
const POSTGRES: [what: string, pattern: RegExp][] = [
  [
    "WAL",
    /^XLog|^xlog|pg_comp_crc32c|CopyXLog|WALInsert|^AdvanceXLInsert|^ReserveXLogInsert|GetXLogBuffer|^RecordTransaction/,
  ],
  [
    "parse and plan",
    /plan|^make_|^build_|^find_|^get_relation|^cost_|^parse|^transform|^raw_|^base_yy|^core_yy|^query_tree|^Revalidate|^GetCachedPlan|^eval_const|^exprs?_|clause/i,
  ],
  [
    "locks and snapshots",
    /^LWLock|^Lock|^ProcArray|^GetSnapshot|^Proc(Sleep|WakeUp|LockWakeup)|s_lock|^HeapTupleSatisfies|^XidInMVCC|^MultiXact|^heap_lock|^Transaction|^SearchCatCache|^hash_search|^Resource/,
  ],
  [
    "set statements up",
    /^ExecInit|^ExecEnd|expr_setup|^ExprEvalPush|^CreateE|^InitPlan|^AcquireExec|^ExecAssign|^ExecReady|Executor|^ExecType|^MakeTuple|^ExecBuild|^ReleaseCached|^Portal|^SearchPath|^Choose|^CachedPlan|^fmgr_info|_tree_walker/,
  ],
  ["index", /^_bt|^BTree|^bt|^index_|^systable_|^IndexNext/],
  ["heap and buffers", /^heap|^Heap|Buffer|^Page|^toast|^visibilitymap|^smgr|^md|^RelationGet|^fsm_/],
  ["memory", /^Alloc|^palloc|^pfree|^MemoryContext|^repalloc|^malloc|^free|^_int_|memset|memcpy|memmove|cfree|libc/],
  [
    "protocol and values",
    /^pq_|^printtup|^Postgres|^exec_|^secure_|^Socket|_(in|out|send|recv)$|^pg_(strto|ltoa|ulltoa|utf)|^array_|^Input|^Output|^text_|^uuid|^byteacat|^bytea/,
  ],
  ["functions (plpgsql)", /plpgsql|^exec_(stmt|eval|assign|move|simple|run)|^SPI_|^_SPI/],
];

/** Shares of the samples of one group, by what they were at. */
export interface PerfShares {
  samples: number;
  /** 0 to 1, largest first. */
  shares: [what: string, share: number][];
  /** The same by innermost function outside the kernel; what has no name goes by its file. */
  functions: [name: string, share: number][];
}

/** Which group a thread belongs to; null for none. */
export type GroupOf = (pid: number, thread: number) => string | null;

/** A recording under way. */
export class PerfRecording {
  readonly #child: ChildProcess;
  readonly #file: string;
  readonly #ended: Promise<number | null>;

  private constructor(child: ChildProcess, file: string) {
    this.#child = child;
    this.#file = file;
    this.#ended = new Promise((resolve) => {
      child.once("exit", resolve);
      child.once("error", () => resolve(1));
    });
  }

  /**
   * Starts to record.
   *
   * @param pids - Processes; all their threads are recorded.
   * @param folder - Where the recording may lie.
   * @returns The recording; whoever asked for it must {@link stop} it.
   */
  static start(pids: number[], folder: string): PerfRecording {
    const file = join(folder, "perf.data");
    const flags = [
      "record",
      "-q",
      "-o",
      file,
      "-e",
      "cpu-clock",
      "-F",
      String(FREQUENCY_HZ),
      "-g",
      "-p",
      pids.join(","),
    ];
    return new PerfRecording(spawn("perf", flags, { stdio: "ignore" }), file);
  }

  /**
   * Stops and counts.
   *
   * @param groupOf - Which group a thread belongs to.
   * @returns Shares by group; null when there is no perf here, or it may not look.
   */
  async stop(groupOf: GroupOf): Promise<Map<string, PerfShares> | null> {
    this.#child.kill("SIGINT");
    await this.#ended;
    try {
      const script = execFileSync(
        "perf",
        ["script", "-i", this.#file, "-F", "pid,tid,ip,sym,dso", "--show-kernel-path"],
        {
          encoding: "utf8",
          maxBuffer: REPORT_BYTES_MAX,
          stdio: ["ignore", "pipe", "ignore"],
        },
      );
      return countScript(script, groupOf);
    } catch {
      return null;
    }
  }
}

/**
 * Counts what `perf script` wrote.
 *
 * @param script - Blocks of a line `pid/tid` and lines of frames `address symbol (file)`, innermost first.
 * @param groupOf - Which group a thread belongs to.
 * @returns Shares by group.
 */
export function countScript(script: string, groupOf: GroupOf): Map<string, PerfShares> {
  const counts = new Map<string, { work: Map<string, number>; functions: Map<string, number> }>();
  for (const block of script.split("\n\n")) {
    const [head = "", ...frames] = block.trim().split("\n");
    const ids = /(\d+)\/(\d+)/.exec(head);
    const group = ids === null ? null : groupOf(Number(ids[1]), Number(ids[2]));
    if (group === null || frames.length === 0) continue;
    const counted = counts.get(group) ?? { work: new Map(), functions: new Map() };
    counts.set(group, counted);
    add(counted.work, workOf(frames, group === "postgres"));
    if (!isKernel(frames[0]!)) add(counted.functions, functionOf(frames[0]!).join(" in "));
  }
  return new Map([...counts].map(([group, { work, functions }]) => [group, sharesOf(work, functions)]));
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sharesOf(work: Map<string, number>, functions: Map<string, number>): PerfShares {
  const samples = [...work.values()].reduce((total, count) => total + count, 0);
  const sorted = (counts: Map<string, number>) =>
    [...counts].map(([what, count]): [string, number] => [what, count / samples]).sort((a, b) => b[1] - a[1]);
  return { samples, shares: sorted(work), functions: sorted(functions) };
}

function isKernel(frame: string): boolean {
  return frame.includes("[kernel");
}

/** Name and file of a frame; addresses of compiled JavaScript have neither. */
function functionOf(frame: string): [name: string, file: string] {
  const [, symbol = "", file = ""] = /^\s*[0-9a-f]+ (.*?)(?:\+0x[0-9a-f]+)? \((.*)\)$/.exec(frame) ?? [];
  return [symbol, file.slice(file.lastIndexOf("/") + 1)];
}

function workOf(frames: string[], postgres: boolean): string {
  if (isKernel(frames[0]!)) {
    const kernel = frames.filter(isKernel).join("\n");
    return KERNEL.find(([, pattern]) => pattern.test(kernel))?.[0] ?? "kernel: other";
  }
  const [symbol, file] = functionOf(frames[0]!);
  if (!postgres) return userWorkOf(file);
  if (file.includes("plpgsql")) return "functions (plpgsql)";
  if (file.startsWith("libc")) return "memory";
  return POSTGRES.find(([, pattern]) => pattern.test(symbol))?.[0] ?? "execute, other";
}

/** What a file of code says of the work of a thread of the server. */
function userWorkOf(file: string): string {
  if (file.startsWith("libc")) return "user: C library";
  return file.startsWith("bun") ? "user: runtime" : "user: compiled JavaScript";
}
