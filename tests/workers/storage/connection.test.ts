/** Connections to PostgreSQL: what their sockets are set to, and how often statements are prepared. */

import { dlopen, FFIType, ptr } from "bun:ffi";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Pusher } from "../../../workers/engine/push.ts";
import { cursorClaim } from "../../../workers/storage/cursors.ts";
import { type Database, openDatabase, openPool } from "../../../workers/storage/database.ts";
import { uniqueName } from "../../support/names.ts";
import { useEngine } from "../support/engine.ts";
import { type Relay, startRelay } from "../support/relay.ts";

const CONNECTIONS = 4;
const TIMES = 60;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

const engine = useEngine();
let relay: Relay;
let database: Database;

beforeAll(async () => {
  const { hosts, port } = engine.context.settings.database;
  relay = await startRelay(join(hosts[0]!, `.s.PGSQL.${port}`));
  database = openDatabase(
    { ...engine.context.settings.database, hosts: ["127.0.0.1"], port: relay.port },
    CONNECTIONS,
    "relayed",
  );
});

afterAll(async () => {
  await database?.close();
  await relay?.close();
});

/** Messages of one type that a lane's connections sent. */
function sent(lane: string, type: string): number {
  const ofLane = relay.connections.filter(({ name }) => name === `relayed ${lane}`);
  expect(ofLane.length).toBeGreaterThan(0);
  return ofLane.reduce((total, { counts }) => total + (counts.get(type) ?? 0), 0);
}

/** Descriptors of this process whose TCP connections go to a port. */
function descriptorsTo(port: number): number[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"]
      .flatMap((file) => readFileSync(file, "utf8").split("\n").slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[2]?.endsWith(wanted))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((descriptor) => {
      try {
        return inodes.has(readlinkSync(`/proc/self/fd/${descriptor}`));
      } catch {
        return false;
      }
    });
}

function isWithoutDelay(descriptor: number): boolean {
  const library = dlopen("libc.so.6", {
    getsockopt: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  });
  const value = new Int32Array([-1]);
  const length = new Uint32Array([4]);
  const failed = library.symbols.getsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, ptr(value), ptr(length));
  if (failed !== 0) throw new Error("getsockopt failed");
  return value[0] === 1;
}

describe("a connection", () => {
  test.if(process.platform === "linux")("over TCP does not wait to send (TCP_NODELAY)", async () => {
    await database.look`select 1`;
    const descriptors = descriptorsTo(relay.port);
    expect(descriptors.length).toBeGreaterThan(0);
    expect(descriptors.map(isWithoutDelay)).toEqual(descriptors.map(() => true));
  });

  test.if(process.platform === "linux")("that waits is told from one that does not", async () => {
    const other = await startRelay("/nowhere");
    const socket = connect({ host: "127.0.0.1", port: other.port, noDelay: true });
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    // Bun takes the option back only where it was asked for; without being asked it never waits.
    socket.setNoDelay(false);
    expect(descriptorsTo(other.port).map(isWithoutDelay)).toEqual([false]);
    socket.destroy();
    await other.close();
  });

  test("to a folder is a unix socket", async () => {
    const pool = openPool(engine.context.settings.database, 1, "local");
    const [row] = await pool`select inet_client_addr() is null as local`;
    await pool.end();
    expect(row).toEqual({ local: true });
  });
});

describe("statements are prepared once a connection", () => {
  test("those of a push", async () => {
    const name = uniqueName("prepared");
    const queueId = await engine.queue(name);
    const pusher = new Pusher({ ...engine.context, database });
    const push = (n: number) =>
      pusher.push(
        [{ queue: name, partition: `p${n % 7}`, transactionId: null, traceId: null, payload: `${n}` }],
        false,
        null,
      );
    await push(0);
    const [parsed, bound] = [sent("push", "P"), sent("push", "B")];
    for (let n = 1; n <= TIMES; n++) expect((await push(n))[0]!.outcome.status).toBe("queued");
    expect(sent("push", "B") - bound).toBeGreaterThanOrEqual(TIMES);
    // The first push made its partition; further ones find theirs by one more statement at most.
    expect(sent("push", "P") - parsed).toBeLessThanOrEqual(2);
    expect(sent("push", "Q")).toBe(0);
    const [row] = await engine.sql`select count(*)::integer as count from queen.partitions where queue_id = ${queueId}`;
    expect(row).toEqual({ count: 7 });
  });

  test("that of a claim, whatever the number of its pops", async () => {
    const claim = (pops: number) =>
      cursorClaim(database.pop, {
        queueId: 1,
        groupId: 1,
        partitionId: null,
        autoAck: false,
        slots: Array.from({ length: pops }, (_, pop) => ({ pop, batch: 1, leaseId: crypto.randomUUID() })),
      });
    for (let pops = 1; pops <= 20; pops++) await claim(pops);
    expect(sent("pop", "P")).toBe(1);
    expect(sent("pop", "B")).toBe(20);
  });
});
