/**
 * Starts the brokers of peers, Redis and NATS, from programs installed on this machine: on loopback, on free ports, with
 * data in a folder of their own, so that nothing meets a service that runs here.
 *
 * @module
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 10_000;

/** A running broker. */
export interface Broker {
  port: number;
  pid: number;
  /** What it does before it answers a write, in words. */
  durability: string;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Looks for a program.
 *
 * @param name - For example `redis-server`.
 * @returns Its path, or null when it is not installed.
 */
export function findProgram(name: string): string | null {
  return Bun.which(name, { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` });
}

/**
 * Starts Redis with an append-only file that is synced before every answer
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/) and without snapshots beside it. Memory is
 * never evicted, which is Redis' default and what BullMQ demands (https://docs.bullmq.io/guide/going-to-production).
 *
 * @param program - Path of `redis-server`.
 * @returns The broker.
 * @throws {Error} when it does not listen within 10 s; nothing is left running then.
 */
export async function startRedis(program: string): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), "queen-peer-redis-"));
  const port = await freePort();
  const settings = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly yes --appendfsync always --maxmemory-policy noeviction`;
  const child = spawn(program, [...settings.split(" "), "--save", ""], { stdio: ["ignore", "pipe", "pipe"] });
  return await settle(child, port, folder, "Ready to accept connections", "");
}

/**
 * Starts NATS with JetStream. From 2.10 on it syncs its files before every answer when told so
 * (https://docs.nats.io/reference/config/jetstream/sync_interval); older ones, such as that of Debian 12, have no
 * such setting and sync every two minutes only. The broker's {@link Broker.durability} says which it is.
 *
 * @param program - Path of `nats-server`.
 * @returns The broker.
 * @throws {Error} when it does not listen within 10 s; nothing is left running then.
 */
export async function startNats(program: string): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), "queen-peer-nats-"));
  const port = await freePort();
  const file = join(folder, "nats.conf");
  const config = (sync: string) => `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/data"${sync} }\n`;
  await writeFile(file, config(", sync_interval: always"));
  const syncs = accepts(program, file);
  if (!syncs) await writeFile(file, config(""));
  const child = spawn(program, ["-c", file], { stdio: ["ignore", "pipe", "pipe"] });
  const durability = syncs
    ? "file storage, sync_interval always"
    : "file storage, synced every 2 min only: WEAKER, this version cannot sync each write";
  return await settle(child, port, folder, "Server is ready", durability);
}

function accepts(program: string, file: string): boolean {
  try {
    execFileSync(program, ["-t", "-c", file], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function settle(
  child: ChildProcess,
  port: number,
  folder: string,
  readyText: string,
  durability: string,
): Promise<Broker> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let written = "";
  const ready = new Promise<true>((resolve) => {
    const read = (chunk: Buffer) => {
      written = (written + chunk.toString()).slice(-4000);
      if (written.includes(readyText)) resolve(true);
    };
    child.stdout!.on("data", read);
    child.stderr!.on("data", read);
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await ended;
    clearTimeout(killer);
    await rm(folder, { recursive: true, force: true });
  };
  const outcome = await Promise.race([ready, ended, Bun.sleep(START_MS_MAX)]);
  if (outcome !== true) {
    await stop();
    throw new Error(`${child.spawnfile} did not start:\n${written}`);
  }
  return { port, pid: child.pid!, durability, stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
