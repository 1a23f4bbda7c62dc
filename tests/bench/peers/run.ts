/**
 * Runs one peer once: starts what it needs, plays its client in a process of its own, stops everything.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { findPostmaster, startServer } from "../process.ts";
import { findProgram, startNats, startRedis } from "./brokers.ts";
import type { ClientReport, ClientSpec, Endpoints, Mode } from "./peer.ts";

const CLIENT_PROGRAM = new URL("./client.ts", import.meta.url).pathname;
/** Connections that the embedded PostgreSQL allows when other queues use it; this server is idle then. */
const PEER_CONNECTIONS = "120";

/** A peer as the bench sees it. */
export interface Peer {
  name: string;
  /** What carries its messages. */
  on: "queen" | "postgres" | "redis" | "nats";
  /** Modes in which messages of one key keep their order, by the peer's own word. */
  ordered: Mode[];
  /** Share of the workload's messages that it gets; below 1 where the whole would take many minutes. */
  share: number;
}

/** In the order of the table; this server first. */
export const PEERS: Peer[] = [
  { name: "queen", on: "queen", ordered: ["batch", "single"], share: 1 },
  { name: "pg-boss", on: "postgres", ordered: [], share: 1 },
  { name: "pg-boss-ordered", on: "postgres", ordered: ["batch", "single"], share: 0.1 },
  { name: "graphile-worker", on: "postgres", ordered: [], share: 1 },
  // Named queues run their jobs one at a time, by their time of scheduling, which all jobs of one `addJobs` share.
  { name: "graphile-worker-ordered", on: "postgres", ordered: ["single"], share: 0.1 },
  { name: "bullmq", on: "redis", ordered: [], share: 1 },
  { name: "nats", on: "nats", ordered: ["batch"], share: 1 },
];

/** Programs that brokers need, by what carries a peer's messages. */
const PROGRAMS = { queen: null, postgres: null, redis: "redis-server", nats: "nats-server" } as const;

/** What a run is made of; the same for every peer. */
export type Workload = Pick<ClientSpec, "mode" | "messages" | "keys" | "payloadBytes" | "seed" | "secondsMax">;

/** Servers that one or several peers use. */
export interface Host {
  endpoints: Endpoints;
  serverPid: number;
  databasePid: number;
  /** When its clients cannot ask: how durable it is. */
  durability: string;
  /** Stops them and removes their data. */
  stop(): Promise<void>;
}

/**
 * Says which program keeps a peer from running.
 *
 * @param peer - The peer.
 * @returns Name of the missing program, or null when the peer can run.
 */
export function missingProgram(peer: Peer): string | null {
  const program = PROGRAMS[peer.on];
  return program !== null && findProgram(program) === null ? program : null;
}

/**
 * Starts what a kind of peer needs.
 *
 * @param on - Kind of server; its program must be installed.
 * @returns The servers, fresh and empty; whoever asked must stop them.
 * @throws {Error} when they do not start; nothing is left running then.
 */
export async function startHost(on: Peer["on"]): Promise<Host> {
  if (on === "redis" || on === "nats") {
    const program = findProgram(PROGRAMS[on])!;
    const broker = on === "redis" ? await startRedis(program) : await startNats(program);
    const endpoints = on === "redis" ? { redisPort: broker.port } : { natsPort: broker.port };
    return { endpoints, serverPid: 0, databasePid: broker.pid, durability: broker.durability, stop: broker.stop };
  }
  const server = await startServer({ env: on === "postgres" ? { DB_POOL_SIZE: PEER_CONNECTIONS } : {} });
  const { socketDir, port, pid } = (await findPostmaster(server.dataDir))!;
  return {
    endpoints: { queenUrl: server.url, postgres: { socketDir, port, user: "queen", database: "queen" } },
    serverPid: server.pid,
    databasePid: pid,
    durability: "",
    stop: server.stop,
  };
}

/**
 * Runs a peer once, its client in a process of its own.
 *
 * @param host - Started for this kind of peer; it must not have run this peer in this mode before.
 * @param peer - The peer.
 * @param workload - What to push and take.
 * @returns What its client saw.
 * @throws {Error} when anything failed, or a message was lost, doubled, or out of an order that the peer promises.
 */
export async function runPeer(host: Host, peer: Peer, workload: Workload): Promise<ClientReport> {
  const spec: ClientSpec = {
    ...workload,
    messages: Math.ceil(workload.messages * peer.share),
    peer: peer.name,
    endpoints: host.endpoints,
    serverPid: peer.on === "queen" ? host.serverPid : 0,
    databasePid: host.databasePid,
  };
  const report = await play(spec);
  return check(peer, workload.mode, { ...report, durability: report.durability || host.durability });
}

function check(peer: Peer, mode: Mode, report: ClientReport): ClientReport {
  const wrong = [
    report.missing > 0 ? `${report.missing} messages were lost` : "",
    report.doubled > 0 ? `${report.doubled} messages came twice` : "",
    report.disordered > 0 && peer.ordered.includes(mode) ? `${report.disordered} came out of order` : "",
  ].filter((part) => part !== "");
  if (wrong.length > 0) throw new Error(`${peer.name}, ${mode}: ${wrong.join(", ")}`);
  return report;
}

async function play(spec: ClientSpec): Promise<ClientReport> {
  // Its documentation has graphile-worker's log of every success switched off this way.
  const env = { ...process.env, NO_LOG_SUCCESS: "1" };
  const child = spawn(process.execPath, ["run", CLIENT_PROGRAM], { stdio: ["pipe", "pipe", "pipe"], env });
  let output = "";
  let complaint = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-4000);
  });
  child.stdin.end(JSON.stringify(spec));
  const killer = setTimeout(() => child.kill("SIGKILL"), (spec.secondsMax * 6 + 60) * 1000);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(killer);
  const line = output.trim().split("\n").at(-1) ?? "";
  if (code !== 0 || !line.startsWith("{")) throw new Error(`the client of ${spec.peer} failed (${code}): ${complaint}`);
  return JSON.parse(line) as ClientReport;
}
