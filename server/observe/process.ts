/**
 * What the operating system says of this process.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";

/** Bytes of a page of memory where `/proc` exists; it counts in pages. */
const PAGE_BYTES = 4_096;

/** Memory of the process, in bytes. */
export interface ProcessMemory {
  rss: number;
  /** Address space; 0 where the system does not tell. */
  virtual: number;
}

/** Reads how much memory the process has. */
export async function processMemory(): Promise<ProcessMemory> {
  const rss = process.memoryUsage.rss?.() ?? process.memoryUsage().rss;
  try {
    const [pages] = (await readFile("/proc/self/statm", "latin1")).split(" ");
    return { rss, virtual: Number(pages) * PAGE_BYTES };
  } catch {
    return { rss, virtual: 0 };
  }
}

/** Processor time of the process since it started, in microseconds. */
export function processorTime(): { user: number; system: number } {
  return process.cpuUsage();
}
