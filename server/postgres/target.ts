import type { DatabaseTarget } from "../../workers/protocol.ts";

/** Where a database is and who asks: the part of {@link DatabaseTarget} that an address can say. */
export type DatabaseAddress = Pick<DatabaseTarget, "hosts" | "port" | "user" | "password" | "database" | "tls">;

/** A parsed address, and what of it was not understood. */
export interface ParsedAddress extends DatabaseAddress {
  /** Names of query parameters that have no meaning here, for a warning at start. */
  ignored: string[];
}

/** An address that cannot be used. The message names the part that is wrong, and never shows the password. */
export class DatabaseUrlError extends Error {
  /** The part that is wrong. */
  readonly part: string;

  constructor(part: string, message: string) {
    super(message);
    this.name = "DatabaseUrlError";
    this.part = part;
  }
}

const PORT_DEFAULT = 5432;
const USER_DEFAULT = "postgres";

/** Modes of libpq and what they come to here. `verify-ca` checks the host name too, which is stricter than asked. */
const TLS_MODES: Record<string, DatabaseAddress["tls"]> = {
  disable: "off",
  allow: "off",
  prefer: "off",
  require: "no-verify",
  "no-verify": "no-verify",
  "verify-ca": "verify",
  "verify-full": "verify",
};

const SSL_FLAGS: Record<string, DatabaseAddress["tls"]> = {
  true: "verify",
  "1": "verify",
  false: "off",
  "0": "off",
  "no-verify": "no-verify",
};

const SHAPE = /^(postgres|postgresql):\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/;

/**
 * Reads a database URL: `postgres://user:password@host:port/database?sslmode=require`. There may be several hosts,
 * separated by commas; a unix socket is `?host=/folder`. Special characters are percent-encoded. Missing parts are
 * `localhost`, 5432, user `postgres`, no password, and a database named as the user.
 *
 * @param url - Text such as the value of `DATABASE_URL`.
 * @returns The address.
 * @throws {@link DatabaseUrlError} naming the part that is wrong.
 */
export function parseDatabaseUrl(url: string): ParsedAddress {
  const [match, , account, place = "", path = "", query = ""] = url.trim().match(SHAPE) ?? [];
  if (match === undefined) {
    throw new DatabaseUrlError("scheme", "The database URL must look like postgres://user:password@host:5432/database");
  }
  const params = readParameters(query);
  if (place.includes("@") || path.includes("@")) throw badPassword();
  const separator = account?.indexOf(":") ?? -1;
  const userText = separator < 0 ? account : account?.slice(0, separator);
  const user = decode("user", userText || "") || params.take("user") || USER_DEFAULT;
  const password = separator < 0 ? params.take("password") : decode("password", account!.slice(separator + 1));
  const placed = parsePlaces(place);
  const hosts = parseHosts(params.take("host") ?? placed.hosts);
  const port = parsePort(params.take("port") ?? placed.port);
  const database = decode("database", path) || params.take("dbname") || user;
  const tls = parseTls(params.take("sslmode"), params.take("ssl"));
  return { hosts, port, user, password: password ?? null, database, tls, ignored: params.rest() };
}

/**
 * Reads a list of hosts, as in `PG_HOST=a,b`: names in order of preference, or one absolute folder of a unix socket.
 *
 * @param text - Names separated by commas.
 * @returns One or more hosts.
 * @throws {@link DatabaseUrlError} when a name is empty or impossible, or a folder stands beside other hosts.
 */
export function parseHosts(text: string): string[] {
  const hosts = text.split(",").map((host) => host.trim());
  for (const host of hosts) {
    if (host === "" && hosts.length > 1) {
      throw new DatabaseUrlError("host", `The list of database hosts has an empty name in it: "${text}"`);
    }
    if (/[\s@?#]/.test(host) && !host.startsWith("/")) {
      throw new DatabaseUrlError("host", `"${host}" is not a host name for a database`);
    }
  }
  if (hosts.length > 1 && hosts.some((host) => host.startsWith("/"))) {
    throw new DatabaseUrlError("host", `A socket folder must be the only database host, not one of a list: "${text}"`);
  }
  return hosts[0] === "" ? ["localhost"] : hosts;
}

/**
 * Reads a port.
 *
 * @param text - Decimal digits; empty for the default, 5432.
 * @returns 1 to 65535.
 * @throws {@link DatabaseUrlError} when it is anything else.
 */
export function parsePort(text: string): number {
  if (text === "") return PORT_DEFAULT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw new DatabaseUrlError("port", `The database port must be a number from 1 to 65535, not "${text}"`);
}

/** Hosts with their ports, in URL notation. Where ports differ, each stays with its host. */
function parsePlaces(place: string): { hosts: string; port: string } {
  const hosts: { host: string; port: string }[] = [];
  const ports = new Set<string>();
  for (const item of place.split(",")) {
    const [match, bracketed, plain, port] = item.match(/^(?:\[([^\]]*)\]|([^:[\]]+)|)(?::(.*))?$/) ?? [];
    if (match === undefined) throw new DatabaseUrlError("host", `"${item}" is not a host, or host:port, of a database`);
    hosts.push({ host: decode("host", bracketed ?? plain ?? ""), port: port || String(PORT_DEFAULT) });
    // An unescaped slash in a password ends up here: its text must not reach a log.
    if (port !== undefined && !/^\d*$/.test(port)) throw badPassword();
    if (port !== undefined) ports.add(port);
  }
  if (ports.size < 2) return { hosts: hosts.map(({ host }) => host).join(","), port: [...ports][0] ?? "" };
  const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host || "localhost");
  return { hosts: hosts.map(({ host, port }) => `${bracket(host)}:${Number(parsePort(port))}`).join(","), port: "" };
}

function badPassword(): DatabaseUrlError {
  return new DatabaseUrlError(
    "port",
    "The host and port of the database URL cannot be read; write special characters in user and password percent-encoded (@ as %40, / as %2F, : as %3A, ? as %3F, # as %23)",
  );
}

function parseTls(mode: string | null, flag: string | null): DatabaseAddress["tls"] {
  if (mode !== null) {
    const tls = Object.hasOwn(TLS_MODES, mode) ? TLS_MODES[mode] : undefined;
    if (tls) return tls;
    const modes = Object.keys(TLS_MODES).join(", ");
    throw new DatabaseUrlError("sslmode", `The sslmode of the database URL must be one of ${modes}, not "${mode}"`);
  }
  if (flag === null) return "off";
  const tls = Object.hasOwn(SSL_FLAGS, flag) ? SSL_FLAGS[flag] : undefined;
  if (tls) return tls;
  throw new DatabaseUrlError("ssl", `The ssl of the database URL must be true, false or no-verify, not "${flag}"`);
}

/** Query parameters, each to be taken once; what nobody took has no meaning here. */
function readParameters(query: string): { take(name: string): string | null; rest(): string[] } {
  const values = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const name = decode("parameter", at < 0 ? pair : pair.slice(0, at));
    values.set(name, decode(name, at < 0 ? "" : pair.slice(at + 1)));
  }
  return {
    take(name) {
      const value = values.get(name) ?? null;
      values.delete(name);
      return value;
    },
    rest: () => [...values.keys()],
  };
}

/** Not `URLSearchParams`: it turns a plus sign, common in passwords, into a space. */
function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DatabaseUrlError(part, `The ${part} of the database URL has a broken percent sign (write % as %25)`);
  }
}
