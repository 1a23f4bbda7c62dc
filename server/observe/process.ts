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

let lastUsage: NodeJS.MemoryUsage = { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };

/**
 * What the runtime says of the process's memory, in bytes.
 *
 * @returns What it said last where it cannot tell now: it reads a file, and clients may have used up all that may be open.
 */
export function memoryUsage(): NodeJS.MemoryUsage {
  try {
    lastUsage = process.memoryUsage();
  } catch {
    // As documented.
  }
  return lastUsage;
}

/** Reads how much memory the process has. */
export async function processMemory(): Promise<ProcessMemory> {
  const { rss } = memoryUsage();
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
