/**
 * The dashboard, and what it asks that no other route answers.
 *
 * @module
 */
import { Type } from "typebox";
import type { ApiOperation } from "./operation.ts";
import { count, ErrorAnswer, exact, Instant, nullable, oneOf } from "./shapes.ts";

const amount = () => Type.Number({ minimum: 0 });

const Lane = exact({ lane: Type.String(), connectionsMax: count(), inUse: count(), waiting: count() });

const Live = exact(
  {
    timestamp: Instant,
    instance: Type.String(),
    uptimeSeconds: amount(),
    counts: exact(
      {
        pushMessages: count(),
        popMessages: count(),
        ackMessages: count("Completed, also by automatic acknowledgement."),
        ackFailed: count(),
        deadLetters: count(),
        requests: count(),
        failures: count("Answers with a status of 500 or more."),
        databaseErrors: count(),
        lagCount: count("Messages whose age at delivery was measured."),
        lagSumMs: amount(),
      },
      { description: "Since the process started." },
    ),
    durations: exact(
      {
        boundsSeconds: Type.Array(amount()),
        push: Type.Array(count()),
        pop: Type.Array(count()),
        ack: Type.Array(count()),
      },
      { description: "Requests since the process started, by how long they took; the last count has no bound." },
    ),
    workers: Type.Array(
      exact({
        workerId: count(),
        state: Type.String(),
        restarts: count(),
        requests: count("Under way."),
        parked: count("Pops that wait."),
        loopLagMaxMs: amount(),
        lanes: Type.Array(Lane),
      }),
    ),
    buffering: Type.Boolean({ description: "Pushes go to the buffer on disk." }),
    process: exact({ rssBytes: count(), cpuUserUs: amount(), cpuSystemUs: amount() }),
  },
  { title: "Live" },
);

/** The routes of the dashboard. */
export const dashboardOperations: readonly ApiOperation[] = [
  {
    method: "GET",
    path: "/",
    id: "dashboard",
    tag: "Dashboard",
    summary: "The dashboard",
    role: "public",
    answers: { 200: { description: "A page.", types: { "text/html": "text" } } },
  },
  {
    method: "GET",
    path: "/dashboard/:file",
    id: "dashboardFile",
    tag: "Dashboard",
    summary: "A file of the page",
    role: "public",
    answers: {
      200: {
        description: "Style, script or icon.",
        types: { "text/css": "text", "text/javascript": "text", "image/svg+xml": "text" },
      },
      404: { description: "There is no such file.", schema: ErrorAnswer },
    },
  },
  {
    method: "GET",
    path: "/api/v1/whoami",
    id: "whoAmI",
    tag: "System",
    summary: "Who the server takes the caller for",
    answers: {
      200: {
        description: "Without authentication everybody is an admin.",
        schema: exact({
          authentication: Type.Boolean(),
          role: oneOf("read-only", "read-write", "admin"),
          subject: nullable(Type.String()),
        }),
      },
    },
  },
  {
    method: "GET",
    path: "/api/v1/status/live",
    id: "live",
    tag: "Status",
    summary: "How this instance does right now",
    description:
      "Counts since the start of the process: look twice to make rates. With `Accept: text/event-stream` one such value a second, as events, until the client goes away.",
    answers: {
      200: { description: "One look, or a stream of them.", schema: Live, types: { "text/event-stream": "text" } },
      503: { description: "Too many streams are open.", schema: ErrorAnswer },
    },
  },
];
