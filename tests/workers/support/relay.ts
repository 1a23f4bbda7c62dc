/**
 * A way to a PostgreSQL over TCP that reads along: which messages of the protocol its clients send.
 *
 * @module
 */

import { connect, createServer, type Socket } from "node:net";

/** One connection of a client. */
export interface Relayed {
  /** The application name it gave. */
  name: string;
  /** Messages by type: `P` parses a statement, `B` binds its values, `E` executes, `Q` is a simple query. */
  counts: Map<string, number>;
}

/** A relay that listens. */
export interface Relay {
  port: number;
  connections: Relayed[];
  close(): Promise<void>;
}

/**
 * Starts a relay on a free port of 127.0.0.1.
 *
 * @param path - Unix socket of the PostgreSQL.
 * @returns The relay; whoever asked for it must close it.
 */
export async function startRelay(path: string): Promise<Relay> {
  const connections: Relayed[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const relayed: Relayed = { name: "", counts: new Map() };
    connections.push(relayed);
    const upstream = connect(path);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    const read = reader(relayed);
    client.on("data", (bytes) => {
      read(bytes as Buffer);
      upstream.write(bytes);
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    port: address.port,
    connections,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Reads what a client sends: a start-up message of length and text, then messages of type, length and content. */
function reader(relayed: Relayed): (bytes: Buffer) => void {
  let pending = Buffer.alloc(0);
  let started = false;
  return (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    for (;;) {
      const headBytes = started ? 5 : 4;
      if (pending.length < headBytes) return;
      const length = pending.readInt32BE(headBytes - 4) + headBytes - 4;
      if (pending.length < length) return;
      const message = pending.subarray(0, length);
      pending = pending.subarray(length);
      if (started) {
        const type = String.fromCharCode(message[0]!);
        relayed.counts.set(type, (relayed.counts.get(type) ?? 0) + 1);
      } else {
        relayed.name = /application_name\0([^\0]*)/.exec(message.toString("latin1"))?.[1] ?? "";
        started = true;
      }
    }
  };
}
