/**
 * The proxy that faults of the network are made with does what it says, and nothing when nothing is said.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { startProxy, type TcpProxy } from "./proxy.ts";
import { until } from "./wait.ts";

let proxy: TcpProxy;
let server: Server;
const far: Socket[] = [];
afterEach(async () => {
  await proxy.close();
  for (const socket of far.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** A server that answers with what it got, behind a proxy. */
async function echo(): Promise<void> {
  server = createServer((socket) => {
    far.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  proxy = await startProxy({ host: "127.0.0.1", port: address.port });
}

/** A connection and what became of it. */
interface Client {
  socket: Socket;
  text: string;
  end: "open" | "closed" | "reset";
}

async function dial(): Promise<Client> {
  const socket = connect({ host: "127.0.0.1", port: proxy.port });
  const client: Client = { socket, text: "", end: "open" };
  socket.on("data", (chunk) => (client.text += chunk));
  socket.on("error", (error) => (client.end = (error as { code?: string }).code === "ECONNRESET" ? "reset" : "closed"));
  socket.on("close", () => (client.end = client.end === "open" ? "closed" : client.end));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return client;
}

async function says(client: Client, text: string): Promise<void> {
  client.socket.write(text);
  await until(() => client.text.endsWith(text), 10_000, `an echo of ${text}`);
}

describe("TcpProxy", () => {
  test("passes on bytes, and ends, both ways", async () => {
    await echo();
    const client = await dial();
    const large = "x".repeat(3_000_000);
    await says(client, large);
    expect(client.text).toBe(large);
    client.socket.end();
    await until(() => client.end === "closed" && proxy.linkCount === 0, 10_000, "the end");
  });

  test("cuts with a reset, and takes new connections", async () => {
    await echo();
    const client = await dial();
    await says(client, "a");
    proxy.cut();
    await until(() => client.end !== "open", 10_000, "the cut");
    expect(client.end).toBe("reset");
    await says(await dial(), "b");
  });

  test("refuses, and opens again on the same port", async () => {
    await echo();
    const client = await dial();
    await says(client, "a");
    await proxy.refuse();
    await until(() => client.end !== "open", 10_000, "the cut");
    await expect(dial()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const { port } = proxy;
    await proxy.open();
    expect(proxy.port).toBe(port);
    await says(await dial(), "b");
  });

  test.each(["forth", "back"] as const)("holds %s, and passes on what it held", async (direction) => {
    await echo();
    const client = await dial();
    await says(client, "a");
    proxy.hold(direction);
    client.socket.write("b");
    const late = await dial();
    late.socket.write("c");
    // Another way than the held one is open: it is how the test knows that time has passed.
    if (direction === "back") await until(() => far.length === 2, 10_000, "a second connection");
    for (let look = 0; look < 5; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect([client.text, client.end, late.text, late.end]).toEqual(["a", "open", "", "open"]);
    }
    proxy.release();
    await until(() => client.text === "ab" && late.text === "c", 10_000, "what was held");
  });

  test("forgets connections without a word, and serves new ones", async () => {
    await echo();
    const client = await dial();
    await says(client, "a");
    proxy.forget();
    client.socket.write("b");
    await says(await dial(), "c");
    expect([client.text, client.end]).toEqual(["a", "open"]);
    far[0]!.destroy();
    await says(await dial(), "d");
    expect([client.text, client.end]).toEqual(["a", "open"]);
  });

  test("lets clients vanish without telling the server", async () => {
    await echo();
    const client = await dial();
    await says(client, "a");
    proxy.vanish();
    await until(() => client.end === "reset", 10_000, "the reset");
    await says(await dial(), "b");
    expect([far.length, far[0]!.readyState]).toEqual([2, "open"]);
  });

  test("is slow in bytes and in time", async () => {
    await echo();
    const client = await dial();
    proxy.slow({ bytesPerSecond: 20_000 });
    let start = performance.now();
    await says(client, "y".repeat(4_000));
    // Forth and back overlap; a fifth of a second for each, and never less.
    expect(performance.now() - start).toBeGreaterThan(180);
    proxy.slow({ delayMs: 60 });
    start = performance.now();
    await says(client, "z");
    expect(performance.now() - start).toBeGreaterThan(110);
    proxy.slow({});
    await says(client, "w".repeat(100_000));
  });
});
