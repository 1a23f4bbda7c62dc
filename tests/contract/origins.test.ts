/**
 * Origins on a server with a database: a socket is opened for pages that are listed only.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

test("CORS_ORIGINS holds for WebSockets, which CORS itself does not", async () => {
  const server = await startServer({ env: { CORS_ORIGINS: "https://app.example" } });
  const opened = (origin: string) =>
    new Promise<string>((resolve) => {
      const options = { headers: { origin } } as unknown as string[];
      const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/dashboard`, options);
      socket.onmessage = ({ data }) => {
        resolve(JSON.parse(String(data)).event);
        socket.close();
      };
      socket.onerror = () => resolve("refused");
    });
  try {
    expect(await opened("https://app.example")).toBe("connected");
    expect(await opened(server.url)).toBe("connected");
    expect(await opened("https://evil.example")).toBe("refused");
    expect(await opened("null")).toBe("refused");
  } finally {
    await server.stop();
  }
});
