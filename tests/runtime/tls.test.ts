/**
 * HTTPS by Bun's listener and by Deno's, with a certificate made here; and what stops a start.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { type Certificate, makeCertificate } from "../support/certificate.ts";
import { startServer } from "../support/server.ts";
import { bearer, HS256_ENV, hsToken } from "../support/tokens.ts";
import { denoPath, ROOT, runProgram, temporaryFolder } from "./program.ts";

setDefaultTimeout(120_000);

const folder = temporaryFolder();
let certificate: Certificate;
beforeAll(() => {
  certificate = makeCertificate(folder, "good");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Command = readonly [string, ...string[]];
const ON_DENO = {
  command: [denoPath(), "run", "-A", "server/main.ts", "serve"] as Command,
  env: { DENO_DIR: join(folder, "deno"), DENO_NO_UPDATE_CHECK: "1" },
};

test.each([
  ["Bun, from files", {}, () => ({ TLS_CERT: certificate.certFile, TLS_KEY: certificate.keyFile })],
  ["Deno, from PEM", ON_DENO, () => ({ TLS_CERT: certificate.cert, TLS_KEY: certificate.key.replaceAll("\n", "\\n") })],
] as const)("%s: pushes, pops and parks over HTTPS, with a token", async (_name, options, tls) => {
  const server = await startServer({
    ...options,
    env: { ...("env" in options && options.env), ...tls(), ...HS256_ENV, CORS_ORIGINS: "https://app.example" },
  });
  try {
    expect(server.url).toStartWith("https://127.0.0.1:");
    const trusted = { tls: { ca: certificate.cert } };
    const headers = { ...bearer(await hsToken({ sub: "me", role: "read-write" })), origin: "https://app.example" };
    const call = (path: string, body?: object) =>
      fetch(server.url + path, { ...trusted, headers, ...(body && { method: "POST", body: JSON.stringify(body) }) });

    const poll = call("/api/v1/pop/queue/q?wait=true&timeout=20000");
    const payload = "x".repeat(200_000);
    expect((await call("/api/v1/push", { items: [{ queue: "q", payload }] })).status).toBe(201);
    const answer = await poll;
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
    const { messages } = (await answer.json()) as { messages: { data: string; producerSub: string }[] };
    expect(messages[0]).toMatchObject({ data: payload, producerSub: "me" });
    expect((await fetch(`${server.url}/api/v1/dlq`, trusted)).status).toBe(401);
    expect((await fetch(`${server.url}/health/ready`, trusted)).status).toBe(200);

    const socket = (token: string) =>
      new Promise<string>((resolve) => {
        const options = { headers: { origin: "https://app.example" }, ...trusted } as unknown as string[];
        const opened = new WebSocket(`${server.url.replace("http", "ws")}/ws/dashboard?token=${token}`, options);
        opened.onmessage = ({ data }) => {
          resolve(JSON.parse(String(data)).event);
          opened.close();
        };
        opened.onerror = () => resolve("refused");
      });
    expect(await socket(await hsToken({ role: "read-only" }))).toBe("connected");
    expect(await socket("x")).toBe("refused");

    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    expect(await plainStatus(server.port)).not.toBe(200);
  } finally {
    await server.stop();
  }
});

/** Status of a request without TLS to a port; null when there is no answer. */
function plainStatus(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const request = httpRequest({ host: "127.0.0.1", port, path: "/health" }, ({ statusCode }) => resolve(statusCode!));
    request.once("error", () => resolve(null));
    request.setTimeout(5_000, () => request.destroy());
    request.end();
  });
}

test("a start with what cannot be used ends with a sentence and exit code 1, before anything is made", async () => {
  const other = makeCertificate(folder, "other");
  const noKey = join(folder, "no-key.pem");
  writeFileSync(noKey, "nothing");
  const { certFile: TLS_CERT, keyFile: TLS_KEY } = certificate;
  const data = join(folder, "data");
  const wrong: [env: Record<string, string>, sentence: string][] = [
    [{ TLS_CERT, TLS_KEY: other.keyFile }, "TLS_KEY: expected the key of TLS_CERT, got another one"],
    [{ TLS_CERT, TLS_KEY: noKey }, "TLS_KEY: expected a private key without a passphrase in PEM"],
    [{ TLS_CERT: noKey, TLS_KEY }, "TLS_CERT: expected a certificate in PEM"],
    [{ TLS_CERT, TLS_KEY: join(folder, "none.pem") }, "TLS_KEY: expected PEM or a readable file of it (ENOENT)"],
    [{ TLS_CERT }, "TLS_KEY: expected the key of TLS_CERT"],
    [{ JWT_ENABLED: "true" }, "JWT_SECRET: expected a secret, because JWT_ALGORITHM is HS256"],
  ];
  const runs = wrong.map(async ([env, sentence]) => {
    const { code, output } = await runProgram([process.execPath, "run", join(ROOT, "server/main.ts"), "serve"], {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? "", HOME: folder, PORT: "0", QUEEN_DATA_DIR: data, ...env },
    });
    expect(output).toBe(`queen: ${sentence}`);
    expect(code).toBe(1);
  });
  await Promise.all(runs);
  expect(await Bun.file(join(data, "PG_VERSION")).exists()).toBe(false);
});
