/**
 * What instances on one database share, as health and the cluster statistics tell it.
 *
 * @module
 */
import type { Pool } from "../pool/pool.ts";
import type { Observer } from "./observer.ts";

/** @returns The object `shared_state`, from what the workers told last. */
export function sharedState(observer: Observer, pool: Pool, serverId: string): Record<string, unknown> {
  const { instance } = pool.state();
  const observations = observer.latest.filter((observation) => observation !== undefined);
  const sum = (of: (catalog: { queues: number; hits: number; misses: number }) => number) =>
    observations.reduce((all, { catalog }) => all + of(catalog), 0);
  const [size, hits, misses] = [sum(({ queues }) => queues), sum((of) => of.hits), sum((of) => of.misses)];
  const peers = observer.latest[0]?.peers ?? { alive: 0, dead: 0, sent: 0, received: 0, dropped: 0, restarts: 0 };
  return {
    enabled: true,
    running: true,
    server_id: serverId,
    maintenance_mode: instance.pushMaintenance,
    pop_maintenance_mode: instance.popMaintenance,
    queue_config_cache: { size, hits, misses, hit_rate: hits + misses === 0 ? 0 : hits / (hits + misses) },
    server_health: {
      servers_tracked: peers.alive + peers.dead,
      servers_alive: peers.alive,
      servers_dead: peers.dead,
      heartbeats_received: peers.received,
      restarts_detected: peers.restarts,
    },
    transport: {
      peer_count: peers.alive,
      messages_sent: peers.sent,
      messages_received: peers.received,
      messages_dropped: peers.dropped,
    },
  };
}
