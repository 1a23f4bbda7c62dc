/**
 * A TCP proxy that misbehaves when told to: it stands between two that talk, and cuts, freezes, slows and forgets their
 * connections.
 *
 * @module
 */
import { connect, createServer, type Server, type Socket } from "node:net";

/** Where the bytes go: to the one that was connected to, or back to the one that connected. */
export type Direction = "forth" | "back";

/** What {@link startProxy} forwards to. */
export type ProxyTarget = { readonly host: string; readonly port: number } | { readonly path: string };

/** Settings of {@link TcpProxy.slow}. */
export interface Slowness {
  /** Each way and connection; absent: no limit. */
  bytesPerSecond?: number;
  /** Before each piece is passed on, in milliseconds; absent: 0. */
  delayMs?: number;
}

/** How often a slow connection passes bytes on, in milliseconds. */
const STEP_MS = 20;

/** One way of a connection. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #proxy: TcpProxy;
  readonly #direction: Direction;
  #waiting: Buffer[] = [];
  #ended = false;
  #running = false;
  /** What arrives is dropped, for good. */
  dead = false;

  constructor(proxy: TcpProxy, direction: Direction, from: Socket, to: Socket) {
    this.#proxy = proxy;
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    from.on("data", (chunk: Buffer) => {
      if (this.dead) return;
      this.#waiting.push(chunk);
      this.pump();
    });
    from.on("end", () => {
      this.#ended = true;
      this.pump();
    });
  }

  /** Passes on what may be passed on. */
  async pump(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length > 0 && this.#isOpen()) {
      const { bytesPerSecond, delayMs } = this.#proxy.slowness;
      const most =
        bytesPerSecond === undefined ? undefined : Math.max(1, Math.floor((bytesPerSecond * STEP_MS) / 1_000));
      const pause = Math.max(delayMs ?? 0, most === undefined ? 0 : STEP_MS);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      if (!this.#isOpen()) break;
      const chunk = this.#waiting.shift()!;
      if (most !== undefined && chunk.length > most) this.#waiting.unshift(chunk.subarray(most));
      const piece = most === undefined ? chunk : chunk.subarray(0, most);
      if (this.#to.destroyed) continue;
      this.#proxy.passed += piece.length;
      if (this.#to.write(piece)) continue;
      this.#from.pause();
      await new Promise<void>((resolve) => {
        this.#to.once("drain", resolve);
        this.#to.once("close", resolve);
      });
      this.#from.resume();
    }
    this.#running = false;
    if (this.#ended && this.#waiting.length === 0 && this.#isOpen()) this.#to.end();
  }

  #isOpen(): boolean {
    return !this.dead && !this.#proxy.isHeld(this.#direction);
  }
}

/** A connection through the proxy. */
interface Link {
  ends: readonly [Socket, Socket];
  lanes: readonly [Lane, Lane];
}

/** See the module comment. */
export class TcpProxy {
  /** Where new connections go. */
  target: ProxyTarget;
  readonly #links = new Set<Link>();
  readonly #held = new Set<Direction>();
  #server: Server;
  #port = 0;
  /** Bytes passed on so far, both ways. */
  passed = 0;
  /** How slow it is now. */
  slowness: Slowness = {};

  constructor(target: ProxyTarget) {
    this.target = target;
    this.#server = this.#make();
  }

  /** Of 127.0.0.1, the same for the life of the proxy. */
  get port(): number {
    return this.#port;
  }

  /** Connections that go through it, half-open ones included. */
  get linkCount(): number {
    return this.#links.size;
  }

  /** Listens, again after {@link refuse}. */
  async open(): Promise<void> {
    if (this.#server.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", () => {
        this.#server.removeListener("error", reject);
        resolve();
      });
    });
    const address = this.#server.address();
    this.#port = typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Resets every connection. */
  cut(): void {
    for (const { ends } of this.#links) for (const socket of ends) socket.resetAndDestroy();
    this.#links.clear();
  }

  /** Resets every connection, and refuses new ones until {@link open}. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
    this.#server = this.#make();
  }

  /** Passes nothing on any more, in these directions, without closing anything; new connections are accepted and held too. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
  }

  /** Ends {@link hold}: what was held is passed on. */
  release(): void {
    this.#held.clear();
    for (const { lanes } of this.#links) for (const lane of lanes) lane.pump();
  }

  /** Forgets every connection, as a firewall that was restarted: neither side hears of it, new connections are as usual. */
  forget(): void {
    for (const { lanes } of this.#links) for (const lane of lanes) lane.dead = true;
  }

  /** Ends what was forgotten for the side that was connected to, as its keepalive does in time. */
  bury(): void {
    for (const { lanes, ends } of this.#links) if (lanes.every((lane) => lane.dead)) ends[1].resetAndDestroy();
  }

  /** Ends every connection for those who made it; the other side hears nothing, as when a machine loses its power. */
  vanish(): void {
    this.forget();
    for (const { ends } of this.#links) ends[0].resetAndDestroy();
  }

  /** Sets how slow it is from now on; `{}` ends it. */
  slow(slowness: Slowness): void {
    this.slowness = slowness;
  }

  /** Whether nothing is passed on that way. */
  isHeld(direction: Direction): boolean {
    return this.#held.has(direction);
  }

  /** Ends everything. */
  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse();
    this.cut();
  }

  #make(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near));
  }

  #accept(near: Socket): void {
    const far = connect({ ...this.target, allowHalfOpen: true, noDelay: true });
    const lanes = [new Lane(this, "forth", near, far), new Lane(this, "back", far, near)] as const;
    const link: Link = { ends: [near, far], lanes };
    this.#links.add(link);
    for (const [at, socket] of link.ends.entries()) {
      const other = link.ends[1 - at]!;
      const direction: Direction = at === 0 ? "forth" : "back";
      const gone = (): void => {
        // What is dead or held tells the other side nothing.
        if (lanes[at]!.dead || this.isHeld(direction)) return;
        this.#links.delete(link);
        if (!other.destroyed) other.destroySoon();
      };
      socket.on("error", () => {});
      socket.on("close", gone);
    }
  }
}

/** Starts a proxy on a free port of 127.0.0.1; the caller closes it. */
export async function startProxy(target: ProxyTarget): Promise<TcpProxy> {
  const proxy = new TcpProxy(target);
  await proxy.open();
  return proxy;
}
