/**
 * A thread of clients that read slowly: each takes what has arrived, then pauses.
 *
 * Posted `{port, path, count, pauseMs}`; answers with the number of body bytes all of them got.
 *
 * @module
 */
import { connect } from "node:net";

declare const self: {
  onmessage: (event: MessageEvent<{ port: number; path: string; count: number; pauseMs: number }>) => void;
  postMessage(bytes: number): void;
};

self.onmessage = async ({ data: { port, path, count, pauseMs } }) => {
  const counts = await Promise.all(Array.from({ length: count }, () => readSlowly(port, path, pauseMs)));
  self.postMessage(counts.reduce((sum, bytes) => sum + bytes, 0));
};

/** @returns Bytes received until the end of the connection, head and framing included. */
function readSlowly(port: number, path: string, pauseMs: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let received = 0;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    socket.on("data", (chunk: Buffer) => {
      received += chunk.byteLength;
      socket.pause();
      setTimeout(() => socket.resume(), pauseMs);
    });
    socket.on("close", () => resolve(received));
    socket.on("error", () => resolve(received));
  });
}
