/**
 * The engine of one worker: puts the verbs together with what they share.
 *
 * @module
 */

import { KeyRing } from "../../schema/wire/segment.ts";
import { LoopLag } from "../loop-lag.ts";
import type { EventBatch } from "../protocol/events.ts";
import type { Observation } from "../protocol/observation.ts";
import type { WorkerMessage, WorkerSettings } from "../protocol.ts";
import { Spool } from "../spool/spool.ts";
import { type Database, openDatabase, openPool } from "../storage/database.ts";
import { databasePing } from "../storage/queue-admin.ts";
import { Acker } from "./ack.ts";
import { LeaseAcker } from "./acknowledge-lease.ts";
import { Catalog } from "./catalog.ts";
import type { EngineContext } from "./context.ts";
import { Counters } from "./counters.ts";
import { Events } from "./events.ts";
import { Flags } from "./flags.ts";
import { type Jobs, startJobs } from "./jobs.ts";
import { LeaseBook } from "./lease-book.ts";
import { observe } from "./observe.ts";
import { Peers } from "./peers.ts";
import { Popper } from "./pop.ts";
import { Pusher } from "./push.ts";
import { PushDoor } from "./push-door.ts";
import { SegmentCache } from "./segment-cache.ts";
import { Spooler } from "./spooler.ts";

/** See the module comment. */
export interface Engine {
  context: EngineContext;
  pusher: Pusher;
  /** Where pushes of clients come in. */
  door: PushDoor;
  /** In worker 0 only. */
  spooler: Spooler | null;
  flags: Flags | null;
  popper: Popper;
  acker: Acker;
  leaseAcker: LeaseAcker;
  /** How the worker is doing. `underWay`: requests begun and not answered. */
  observe(underWay: number): Observation;
  /** Parked pops look at these queues again. */
  wake(queueIds: number[], partitionIds: number[] | null): void;
  /** Sets whether anybody watches what happens, in this process or at other instances. */
  listen(here: boolean, elsewhere: boolean): void;
  /** Tells those who watch at other instances. Only worker 0 can. */
  publish(batch: EventBatch): void;
  /** Forgets what is known of these queues; of all when the list is empty. */
  invalidate(queueNames: string[]): void;
  /** Pushes that wait for the spool to drain are spooled, from now on. */
  halt(): void;
  /** Answers parked pops, finishes what is under way, ends jobs and connections. */
  stop(): Promise<void>;
}

/** Connections that worker 0 needs besides its lanes: listening, and sending while it listens. */
const PEER_CONNECTIONS = 2;

/**
 * Opens an engine.
 *
 * @param send - Posts to the router.
 * @throws The driver's error when the database does not answer; nothing is left open.
 */
export async function openEngine(
  settings: WorkerSettings,
  parked: SharedArrayBuffer,
  send: (message: WorkerMessage) => void,
): Promise<Engine> {
  const leads = settings.index === 0;
  const name = `queen ${settings.instanceId} ${settings.index}`.slice(0, 55);
  const lanes = Math.max(4, settings.connectionsMax - (leads ? PEER_CONNECTIONS : 0));
  let forget = (): void => {};
  const database = openDatabase(settings.database, lanes, name, () => forget());
  try {
    await databasePing(database.look);
  } catch (error) {
    await database.close();
    throw error;
  }
  const log: EngineContext["log"] = (level, event, fields) => send({ kind: "log", level, event, fields });
  let peers: Peers | null = null;
  const counters = new Counters();
  const catalog = new Catalog(database, counters);
  const context: EngineContext = {
    settings,
    database,
    catalog,
    ring: new KeyRing(settings.encryptionKeys),
    segments: new SegmentCache(settings.segmentCacheBytesMax),
    counters,
    events: new Events(`${settings.instanceId}-${settings.index}`, (batch) =>
      send({ kind: "events", batch, remote: false }),
    ),
    log,
    send,
    queueChanged(queue) {
      catalog.invalidate([queue]);
      popper.queueChanged([queue]);
      send({ kind: "changed", queueNames: [queue] });
      peers?.announceChanged(queue);
    },
    queuesReady(queueIds, partitionIds) {
      const ids = [...queueIds];
      popper.waiters.wake(ids, partitionIds ?? null);
      const elsewhere = ids.filter((id) => popper.waiters.waitedForElsewhere(id));
      if (elsewhere.length > 0) {
        send({ kind: "pushed", queueIds: elsewhere, partitionIds: partitionIds ? [...partitionIds] : null });
      }
      peers?.announceReady(ids);
    },
  };
  const leases = new LeaseBook();
  const popper = new Popper(context, leases, parked);
  const pusher = new Pusher(context);
  const acker = new Acker(context, leases);
  const leaseAcker = new LeaseAcker(context, leases);
  // After a failover the store may lack commits that were answered, and offsets and numbers mean something else in it.
  forget = () => {
    context.segments.clear();
    pusher.recent.clear();
    leases.clear();
    catalog.doubt();
    popper.queueChanged([]);
  };
  const loopLag = new LoopLag();
  loopLag.start();
  let jobs: Jobs | null = null;
  let flags: Flags | null = null;
  let spooler: Spooler | null = null;
  if (leads) {
    flags = new Flags(context, {
      read: () => spooler?.noteChange(),
      answered: (healthy) => spooler?.databaseAnswered(healthy),
      changed: () => peers?.announceFlags(),
    });
    try {
      spooler = new Spooler(context, pusher, flags, await openSpool(context));
      await flags.start();
    } catch (error) {
      await database.close();
      throw error;
    }
    peers = openPeers(context, popper, flags, send);
    await peers.start();
    spooler.start();
    jobs = startJobs(context);
  }
  return {
    context,
    pusher,
    door: new PushDoor(context, pusher, spooler),
    spooler,
    flags,
    popper,
    acker,
    leaseAcker,
    observe: (underWay) => observe(context, { waiters: popper.waiters, peers, loopLag, underWay }),
    wake(queueIds, partitionIds) {
      popper.waiters.wake(queueIds, partitionIds);
      peers?.announceReady(queueIds);
    },
    invalidate(queueNames) {
      catalog.invalidate(queueNames);
      popper.queueChanged(queueNames);
      for (const queue of queueNames) peers?.announceChanged(queue);
    },
    listen(here, elsewhere) {
      context.events.listening = here || elsewhere;
      peers?.announceListening(here);
    },
    publish: (batch) => peers?.publish(batch),
    halt: () => spooler?.halt(),
    async stop() {
      popper.stop();
      flags?.stop();
      await spooler?.stop();
      loopLag.stop();
      await jobs?.stop();
      await Promise.all([pusher.drained(), acker.drained(), leaseAcker.drained()]);
      await peers?.stop();
      await closeAll(database, peerPools.get(context));
    },
  };
}

const peerPools = new WeakMap<EngineContext, ReturnType<typeof openPool>>();

/** The spool of the instance; null when it cannot have one. */
async function openSpool({ settings, ring, log }: EngineContext): Promise<Spool | null> {
  if (settings.spool === null) return null;
  return await Spool.open({
    ...settings.spool,
    ring,
    onDamage: (fields) => log("error", "spool_damaged", fields),
  });
}

function openPeers(
  context: EngineContext,
  popper: Popper,
  flags: Flags,
  send: (message: WorkerMessage) => void,
): Peers {
  const pool = openPool(context.settings.database, 1, `queen ${context.settings.instanceId} peers`.slice(0, 60));
  peerPools.set(context, pool);
  return new Peers(pool, context.settings.instanceId, {
    changed(names) {
      context.catalog.invalidate(names);
      popper.queueChanged(names);
      send({ kind: "changed", queueNames: names });
    },
    ready(queueIds) {
      if (queueIds === null) return popper.waiters.wakeAll();
      popper.waiters.wake(queueIds, null);
      send({ kind: "pushed", queueIds, partitionIds: null });
    },
    flags: () => void flags.refresh(),
    listening: (elsewhere) => send({ kind: "listeners", elsewhere }),
    events: (batch) => send({ kind: "events", batch, remote: true }),
    present: (present) => popper.waiters.enterAll(present),
    trouble: (error) => context.log("warn", "peers_trouble", { error: String(error) }),
  });
}

async function closeAll(database: Database, pool: ReturnType<typeof openPool> | undefined): Promise<void> {
  await Promise.all([database.close(), pool?.end({ timeout: 5 })]);
}
