/**
 * docs/security.md says nothing that was not tried: its commands run here in their order, in one folder, against servers
 * with the settings that it names.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "../../server/config-variables.ts";
import { readBlocks } from "../support/document.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { ROOT, runProgram, temporaryFolder } from "./program.ts";

setDefaultTimeout(60_000);

const TEXT = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const commands = readBlocks("docs/security.md").map(({ text }) => text);
const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Output of a command as it stands in the document, with the server's real port. */
async function run(command: string, server?: TestServer): Promise<string> {
  const text = server === undefined ? command : command.replaceAll("localhost:6632", `localhost:${server.port}`);
  const { code, output } = await runProgram(["sh", "-c", text], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  });
  expect(code, output).toBe(0);
  return output;
}

/** Starts a server with the variables that a command of the document sets before `npm start`. */
async function serve(command: string): Promise<TestServer> {
  const settings = command.replace("npm start", "env").trim();
  const lines = (await run(settings)).split("\n");
  const names = [...command.matchAll(/([A-Z_]+)=/g)].map((match) => match[1]!);
  expect(names.length).toBeGreaterThan(0);
  const env = names.map((name) => [name, lines.find((line) => line.startsWith(`${name}=`))!.slice(name.length + 1)]);
  return startServer({
    env: Object.fromEntries(env.map(([name, value]) => [name, /\.pem$/.test(value!) ? join(folder, value!) : value])),
  });
}

const find = (what: string) => {
  const found = commands.filter((command) => command.includes(what));
  expect(found).toHaveLength(1);
  return found[0]!;
};

test("tokens: the writer only writes, the reader only reads, the consumer sees who wrote", async () => {
  await run(find("rand -hex"));
  await run(find("> token <<"));
  const server = await serve(find("JWT_ENABLED"));
  try {
    const [pushed, popped] = (await run(find("WRITER="), server)).split(/(?<=\])(?=\{)/);
    expect(pushed).toContain('"status":"queued"');
    expect(popped).toBe('{"error":"Insufficient permissions"}');
    const [listed, refused] = (await run(find("READER="), server)).split(/(?<=\})(?=\{"error)/);
    expect(listed).toContain('"messages":[]');
    expect(refused).toBe('{"error":"Insufficient permissions"}');
    const { messages } = JSON.parse(await run(find("WORKER="), server));
    expect(messages).toEqual([expect.objectContaining({ data: { celsius: 21 }, producerSub: "sensor-7" })]);
  } finally {
    await server.stop();
  }
});

test("TLS: the certificate it makes serves, and is trusted", async () => {
  await run(find("openssl req"));
  const server = await serve(find("TLS_CERT="));
  try {
    expect(await run(find("--cacert"), server)).toBe('{"status":"ready","database":"connected"}');
  } finally {
    await server.stop();
  }
});

test("no command was left out, and every variable and file it names exists", () => {
  expect(commands).toHaveLength(9);
  for (const [, name] of TEXT.matchAll(/`([A-Z][A-Z_]+)[`=]/g)) expect(Object.keys(VARIABLES)).toContain(name!);
  for (const [, path] of TEXT.matchAll(/\]\(([^)]+)\)/g))
    expect(existsSync(join(ROOT, "docs", path!)), path).toBe(true);
  for (const [, path] of TEXT.matchAll(/`(tests\/[^`]+)`/g)) expect(existsSync(join(ROOT, path!)), path).toBe(true);
});
