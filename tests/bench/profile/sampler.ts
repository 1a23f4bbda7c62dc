/**
 * Loaded by a server's main thread before its own modules, and by each of its workers: samples what JavaScript runs. The first
 * SIGUSR2 starts the samplers of all threads; the second stops them, and each writes its profile into the folder that
 * QUEEN_PROFILE_DIR names, as `main.cpuprofile` or `worker-<thread>.cpuprofile`.
 *
 * @module
 */

import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { isMainThread, threadId } from "node:worker_threads";
import "../probe.ts";

const INTERVAL_US = 1000;

const folder = process.env.QUEEN_PROFILE_DIR ?? "/tmp";
const channel = new BroadcastChannel("queen-profile");
let session: Session | null = null;

function toggle(): void {
  if (session === null) {
    session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: INTERVAL_US });
    session.post("Profiler.start");
    return;
  }
  session.post("Profiler.stop", (_error, result) => {
    const file = join(folder, isMainThread ? "main.cpuprofile" : `worker-${threadId}.cpuprofile`);
    writeFileSync(`${file}.part`, JSON.stringify((result as { profile?: unknown } | undefined)?.profile ?? null));
    renameSync(`${file}.part`, file);
  });
  session.disconnect();
  session = null;
}

channel.onmessage = toggle;
(channel as unknown as { unref(): void }).unref();
if (isMainThread) {
  process.on("SIGUSR2", () => {
    channel.postMessage(null);
    toggle();
  });
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, { ...options, preload: [import.meta.path] });
    }
  };
}
