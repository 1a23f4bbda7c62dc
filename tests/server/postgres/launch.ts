/**
 * A program that only starts an embedded server: tests run it as other users, and kill it.
 *
 * Argument: the data folder. Prints one JSON line when started or failed. Stops at `stop` or the end of standard input;
 * ignores Ctrl-C and closes nothing by itself when killed.
 */
import { createInterface } from "node:readline";
import { EmbeddedError, type EmbeddedServer, startEmbedded } from "../../../server/postgres/embedded.ts";

const dataDir = process.argv[2]!;
const events: string[] = [];
process.on("SIGINT", () => console.log(JSON.stringify({ kind: "interrupted" })));

let server: EmbeddedServer;
const began = performance.now();
try {
  server = await startEmbedded({
    dataDir,
    connectionsMax: 20,
    log: (level, event, fields) => {
      events.push(event);
      if (level === "error") console.error(event, fields);
    },
  });
} catch (error) {
  if (!(error instanceof EmbeddedError)) throw error;
  console.log(JSON.stringify({ kind: "failed", code: error.code, message: error.message }));
  process.exit(1);
}
const { target, version, pid, firstStart } = server;
const ms = Math.round(performance.now() - began);
console.log(JSON.stringify({ kind: "started", target, version, dataDir: server.dataDir, pid, firstStart, events, ms }));
for await (const line of createInterface({ input: process.stdin })) if (line === "stop") break;
const stopping = performance.now();
await server.stop();
console.log(
  JSON.stringify({ kind: "stopped", exit: await server.exited, ms: Math.round(performance.now() - stopping) }),
);
process.exit(0);
