/**
 * Opens the client of a peer by its name. Each is loaded only when it is wanted, so that its process holds no other.
 *
 * @module
 */

import type { ClientSpec, PeerClient } from "../peer.ts";

/**
 * Opens a client.
 *
 * @param spec - Names the peer.
 * @returns The client; whoever asked for it must close it.
 * @throws {Error} when no peer has that name, or its server cannot be reached.
 */
export async function openClient(spec: ClientSpec): Promise<PeerClient> {
  switch (spec.peer) {
    case "queen":
      return (await import("./queen.ts")).openQueen(spec);
    case "pg-boss":
      return (await import("./pg-boss.ts")).openPgBoss(spec, false);
    case "pg-boss-ordered":
      return (await import("./pg-boss.ts")).openPgBoss(spec, true);
    case "graphile-worker":
      return (await import("./graphile-worker.ts")).openGraphileWorker(spec, false);
    case "graphile-worker-ordered":
      return (await import("./graphile-worker.ts")).openGraphileWorker(spec, true);
    case "bullmq":
      return (await import("./bullmq.ts")).openBullmq(spec);
    case "nats":
      return (await import("./nats.ts")).openNats(spec);
    default:
      throw new Error(`no peer is named ${spec.peer}`);
  }
}
