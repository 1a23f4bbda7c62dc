/**
 * Whether an answer leaves compressed, and how. The compressing itself is the workers' business.
 *
 * @module
 */
import { BlockList, isIP } from "node:net";
import type { ContentCoding } from "../pool/pool.ts";

/** When answers are compressed for clients that accept it; `auto`: for those beyond the local network. */
export type CompressionMode = "off" | "on" | "auto";

const NEARBY = new BlockList();
for (const [net, prefix] of [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["169.254.0.0", 16],
  ["100.64.0.0", 10],
] as const) {
  NEARBY.addSubnet(net, prefix, "ipv4");
}
for (const [net, prefix] of [
  ["::1", 128],
  ["fc00::", 7],
  ["fe80::", 10],
] as const) {
  NEARBY.addSubnet(net, prefix, "ipv6");
}
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/**
 * Whether an address is of this machine or of a private network, where bandwidth costs less than compressing.
 *
 * @param address - As the listener tells it; null when it does not know, which counts as nearby.
 */
export function isNearby(address: string | null): boolean {
  if (address === null) return true;
  const plain = address.replace(MAPPED, "").replace(/%.*$/, "");
  const version = isIP(plain);
  return version === 0 || NEARBY.check(plain, version === 4 ? "ipv4" : "ipv6");
}

/**
 * The best of what a client accepts: the coding with the highest weight, zstd before gzip.
 *
 * @param header - Of `Accept-Encoding`; null when there is none.
 */
export function acceptedCoding(header: string | null): ContentCoding | null {
  if (header === null) return null;
  let best: ContentCoding | null = null;
  let weightMax = 0;
  for (const part of header.toLowerCase().split(",")) {
    const [name, ...parameters] = part.split(";").map((text) => text.trim());
    const coding = name === "zstd" ? "zstd" : name === "gzip" || name === "x-gzip" ? "gzip" : null;
    if (coding === null) continue;
    const given = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = given === undefined ? 1 : Number(given.slice(2));
    if (weight > weightMax || (weight === weightMax && weight > 0 && coding === "zstd")) {
      best = coding;
      weightMax = weight;
    }
  }
  return best;
}

/** Decides for one application. */
export class Compression {
  readonly #mode: CompressionMode;

  /** @param host - Listened on: one that only this machine reaches needs no look at each client. */
  constructor(mode: CompressionMode, host: string) {
    this.#mode = mode === "auto" && (host === "localhost" || (isIP(host) !== 0 && isNearby(host))) ? "off" : mode;
  }

  /**
   * Whether answers to this client are compressed when it accepts that.
   *
   * @param addressOf - Asked for the client's address, only when it matters.
   */
  appliesTo(addressOf: () => string | null): boolean {
    return this.#mode === "on" || (this.#mode === "auto" && !isNearby(addressOf()));
  }

  /** How the answer to a request is compressed, if it is long enough; null: not at all. */
  choose(request: Request, addressOf: () => string | null): ContentCoding | null {
    if (this.#mode === "off") return null;
    const coding = acceptedCoding(request.headers.get("accept-encoding"));
    return coding !== null && this.appliesTo(addressOf) ? coding : null;
  }
}
