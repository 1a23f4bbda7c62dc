/**
 * Requests that a well-behaved client cannot send: written byte by byte to a socket.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { type Answer, toAnswer } from "./http.ts";

/** A request under way on a socket of its own. */
export interface RawRequest {
  socket: Socket;
  /** The first answer on the socket, by its Content-Length or up to the end of the connection. */
  answer: Promise<Answer>;
}

/**
 * Opens a socket and writes the head of a request.
 *
 * @param url - Base address of the server.
 * @param head - Request line and headers, lines separated by `\n`; `Host` and the empty line are added.
 * @returns At once after connecting; the caller writes a body, if any, and ends or destroys the socket.
 */
export async function openRaw(url: string, head: string): Promise<RawRequest> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const answer = readAnswer(socket);
  answer.catch(() => {});
  const [line, ...rest] = head.split("\n");
  socket.write(`${[line, `Host: ${hostname}:${port}`, ...rest].join("\r\n")}\r\n\r\n`);
  return { socket, answer };
}

/** Collects bytes until one whole answer is there. A connection that dies after the head still counts. */
function readAnswer(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const finish = (atEnd: boolean): void => {
      const split = received.indexOf("\r\n\r\n");
      if (split < 0) {
        if (atEnd) reject(new Error(`connection ended after ${received.length} bytes without an answer`));
        return;
      }
      const [statusLine = "", ...lines] = received.subarray(0, split).toString("latin1").split("\r\n");
      const headers = new Headers(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
      const body = received.subarray(split + 4);
      const length = Number(headers.get("content-length") ?? (/ 204 /.test(statusLine) ? 0 : Number.NaN));
      if (body.length >= length || atEnd)
        resolve(toAnswer(Number(statusLine.split(" ")[1]), headers, new Uint8Array(body)));
    };
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      finish(false);
    });
    socket.once("close", () => finish(true));
    socket.on("error", () => finish(true));
  });
}
