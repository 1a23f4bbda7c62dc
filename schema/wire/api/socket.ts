/**
 * The socket of events.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import { ErrorAnswer } from "./shapes.ts";

const DESCRIPTION =
  'A WebSocket. Text frames `{"event", "data", "timestamp"}`: connected, client.connected, client.disconnected, message.pushed, ' +
  "message.processing, message.completed, message.failed, queue.created, queue.depth and partition.depth every 5 s, system.stats " +
  'every 10 s, events.dropped (how many were left out) at most every second. The text `ping` is answered `pong`; `{"type":"subscribe","queues":[…]}` the event `subscribed`.';

/** The socket, at the root and below the dialect of October 2025. */
export const socketOperations: readonly ApiOperation[] = [
  ["/ws/dashboard", "socket"] as const,
  ["/2025-10/ws/dashboard", "octoberSocket"] as const,
].map(([path, id]) => ({
  method: "GET",
  path,
  id,
  tag: "October 2025",
  summary: "Events, as they happen",
  description: DESCRIPTION,
  query: { token: Type.String({ description: "A token, for browsers, which cannot set headers here." }) },
  answers: {
    101: { description: "The connection is a WebSocket now." },
    426: { description: "The request does not ask for a WebSocket.", schema: ErrorAnswer },
  },
}));
