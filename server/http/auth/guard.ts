/**
 * Lets requests through, or not: finds the token, verifies it once, and compares its role with the route's.
 *
 * A verified token is remembered for a while, so that a signature is not checked for each request. The memory is bounded
 * and never outlives the token, nor the keys it was verified by.
 *
 * @module
 */
import type { AuthConfig } from "../../config.ts";
import type { LogLine } from "../../pool/pool.ts";
import { Denied } from "./denied.ts";
import { RANK, type Role } from "./role.ts";
import { tokenOf } from "./token.ts";
import { type Identity, TokenVerifier, type VerifiedToken } from "./verify.ts";

/** What {@link Guard.admit} decides. */
export type Admission = Identity | Denied;

/** Most tokens remembered; longer ones than the second bound are verified each time. Together 32 MiB at worst. */
const REMEMBERED_MAX = 8_192;
const REMEMBERED_LENGTH_MAX = 4_096;
/** Longest a token is remembered, in milliseconds: then its key is looked for again. */
const REMEMBER_MS = 300_000;

const AUTHENTICATION_REQUIRED = new Denied(401, "Authentication required");
const INSUFFICIENT_PERMISSIONS = new Denied(403, "Insufficient permissions");
/** Whoever calls a path that is skipped. */
const ANYBODY: Identity = { rank: RANK.public, pushes: false, subject: null };
/** All that a role that may only push is open to. */
const PUSH_PATHS: ReadonlySet<string> = new Set(["/api/v1/push", "/api/v1/push/binary", "/2025-10/api/v1/push"]);

/** See the module's comment. One per application. */
export class Guard {
  readonly #verifier: TokenVerifier;
  readonly #log: LogLine;
  readonly #remembered = new Map<string, VerifiedToken>();
  readonly #rememberMs: number;
  /** Grows when keys change: what is being verified by the old ones then is not remembered. */
  #keysVersion = 0;
  readonly #open: ReadonlySet<string>;
  readonly #openFolders: readonly string[];

  constructor(config: AuthConfig, log: LogLine) {
    this.#log = log;
    this.#verifier = new TokenVerifier(config, log, () => {
      this.#remembered.clear();
      this.#keysVersion += 1;
    });
    this.#rememberMs = Math.min(REMEMBER_MS, config.jwks?.refreshMs ?? REMEMBER_MS);
    this.#open = new Set(config.skipPaths);
    this.#openFolders = config.skipPaths.filter((path) => path.length > 1 && path.endsWith("/"));
  }

  /**
   * Decides about a request.
   *
   * @param path - Of the request, as it was routed.
   * @param role - Least role of the route, not `public`.
   * @returns At once for a token seen before: who sends it, or why it is refused. Never rejects.
   */
  admit(request: Request, path: string, role: Role): Admission | Promise<Admission> {
    if (this.#skips(path)) return ANYBODY;
    const token = tokenOf(request);
    if (token === null) return AUTHENTICATION_REQUIRED;
    const verified = this.#remembered.get(token);
    if (verified !== undefined) {
      if (verified.endsAt > Date.now()) return permitted(verified.identity, path, role);
      this.#remembered.delete(token);
    }
    return this.#verify(token, path, role);
  }

  /** Exact paths, and everything below an entry that ends with a slash. */
  #skips(path: string): boolean {
    return this.#open.has(path) || this.#openFolders.some((folder) => path.startsWith(folder));
  }

  async #verify(token: string, path: string, role: Role): Promise<Admission> {
    try {
      const version = this.#keysVersion;
      const verified = await this.#verifier.verify(token);
      if (version === this.#keysVersion) this.#remember(token, verified);
      return permitted(verified.identity, path, role);
    } catch (error) {
      if (error instanceof Denied) return error;
      this.#log("error", "authentication_failed", { error: error instanceof Error ? error.stack : String(error) });
      return new Denied(500, "Invalid algorithm configuration");
    }
  }

  #remember(token: string, { identity, endsAt }: VerifiedToken): void {
    if (token.length > REMEMBERED_LENGTH_MAX) return;
    if (this.#remembered.size >= REMEMBERED_MAX) {
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest);
        break;
      }
    }
    this.#remembered.set(token, { identity, endsAt: Math.min(endsAt, Date.now() + this.#rememberMs) });
  }
}

function permitted(identity: Identity, path: string, role: Role): Admission {
  const suffices = identity.rank >= RANK[role] || (identity.pushes && PUSH_PATHS.has(path));
  return suffices ? identity : INSUFFICIENT_PERMISSIONS;
}
