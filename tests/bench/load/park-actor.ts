/**
 * Consumers that wait on queues where nothing happens, each on a connection of its own, and ask again when their time
 * ran out.
 *
 * @module
 */

import { exchange, type RunningActor, type Stage } from "./actor.ts";
import { HttpConnection } from "./connection.ts";
import type { ParkActor } from "./protocol.ts";

/**
 * Makes the waiting consumers of one actor.
 *
 * @param actor - Where they wait.
 * @param stage - Where they play.
 * @returns The actor, not yet connected.
 */
export function parkActor(actor: ParkActor, stage: Stage): RunningActor {
  const connections: HttpConnection[] = [];
  const figures = stage.figures(`${actor.name}.park`);
  const wait = async (connection: HttpConnection, index: number) => {
    const queue = actor.queues[index % actor.queues.length];
    const request = Buffer.from(
      `GET /api/v1/pop/queue/${queue}?batch=1&wait=true&timeout=${actor.waitMs}&consumerGroup=parked HTTP/1.1\r\nHost: ${stage.host}\r\n\r\n`,
    );
    while (!stage.stopping) {
      const startedAt = performance.now();
      await exchange(connection, request, 1024, figures);
      figures.answered(startedAt, 0);
    }
  };
  return {
    open: async () => {
      for (let index = 0; index < actor.connections; index++)
        connections.push(await HttpConnection.open(stage.host, stage.port));
    },
    play: async () => {
      await Promise.all(connections.map(wait));
    },
    close: () => {
      for (const connection of connections) connection.close();
    },
  };
}
