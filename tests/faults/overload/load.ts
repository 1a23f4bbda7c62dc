/**
 * The load process of the overload: sends requests on time, whatever becomes of the earlier ones, with a bound on those in flight.
 *
 * @module
 */
import { Histogram } from "../../bench/load/histogram.ts";
import { seededRandom } from "../../bench/load/payloads.ts";
import { IdClock, PushRequest } from "../../bench/load/push-request.ts";
import type { LoadSecond, LoadSpec } from "./protocol.ts";
import { Wire } from "./wire.ts";

const TICK_MS = 4;
const HELLO = Buffer.from("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");

/** Counts of a stretch of time. */
class Tally {
  readonly #accepted = new Histogram();
  readonly #refused = new Histogram();
  readonly #startedAt = performance.now();
  offered = 0;
  unsent = 0;
  withoutRetryAfter = 0;
  readonly others: Record<string, number> = {};

  add(status: number, retryAfterS: number | null, ms: number): void {
    if (status >= 200 && status < 300) this.#accepted.record(ms);
    else if (status === 503) {
      this.#refused.record(ms);
      if (retryAfterS === null) this.withoutRetryAfter += 1;
    } else this.others[status] = (this.others[status] ?? 0) + 1;
  }

  read(final: boolean): LoadSecond {
    return {
      final,
      seconds: (performance.now() - this.#startedAt) / 1000,
      offered: this.offered,
      unsent: this.unsent,
      accepted: this.#accepted.total,
      refused: this.#refused.total,
      withoutRetryAfter: this.withoutRetryAfter,
      others: this.others,
      acceptedP50Ms: this.#accepted.quantileMs(0.5),
      acceptedP99Ms: this.#accepted.quantileMs(0.99),
      acceptedMaxMs: this.#accepted.maxMs,
      refusedP50Ms: this.#refused.quantileMs(0.5),
      refusedP99Ms: this.#refused.quantileMs(0.99),
    };
  }
}

/** Makes each connection's request; a push is stamped anew each time. */
function requestMaker(spec: LoadSpec, host: string): (index: number) => () => Uint8Array {
  if (spec.kind === "pop") {
    const bytes = Buffer.from(
      `GET /api/v1/pop/queue/${spec.queue}?batch=${spec.perRequest}&wait=false&autoAck=true HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    );
    return () => () => bytes;
  }
  if (spec.kind === "ack") {
    const body = JSON.stringify({ ...spec.ack, status: "completed" });
    const head = `POST /api/v1/ack HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const bytes = Buffer.from(head + body);
    return () => () => bytes;
  }
  const clock = new IdClock();
  const random = seededRandom(1);
  return (index) => {
    const request = new PushRequest({
      host,
      queue: spec.queue,
      partitions: [`p${index % spec.partitions}`],
      perRequest: spec.perRequest,
      producer: index.toString(36),
      payloadBytes: spec.payloadBytes,
      firstIndex: 0,
      random,
    });
    return () => {
      request.stamp(clock);
      return request.bytes;
    };
  };
}

class Load {
  readonly #spec: LoadSpec;
  readonly #host: string;
  readonly #port: number;
  readonly #requests: (() => Uint8Array)[];
  readonly #wires: Wire[] = [];
  readonly #free: number[] = [];
  readonly #all = new Tally();
  #second = new Tally();
  #underWay = 0;
  #stopping = false;

  constructor(spec: LoadSpec) {
    const { hostname, port, host } = new URL(spec.url);
    this.#spec = spec;
    this.#host = hostname;
    this.#port = Number(port);
    this.#requests = Array.from({ length: spec.connections }, (_, index) => requestMaker(spec, host)(index));
  }

  async run(): Promise<void> {
    for (let index = 0; index < this.#spec.connections; index++) {
      this.#wires.push(await this.#open());
      this.#free.push(index);
    }
    const report = setInterval(() => {
      print(this.#second.read(false));
      this.#second = new Tally();
    }, 1_000);
    const startedAt = performance.now();
    const endsAt = startedAt + this.#spec.seconds * 1_000;
    const { perSecond } = this.#spec;
    if (perSecond === null) {
      for (const index of this.#free.splice(0)) this.#send(index, performance.now());
      await Bun.sleep(endsAt - performance.now());
    } else await this.#sendOnTime(startedAt, endsAt, perSecond);
    this.#stopping = true;
    // What was sent in time counts, and is waited for with a limit.
    const giveUpAt = performance.now() + 30_000;
    while (this.#underWay > 0 && performance.now() < giveUpAt) await Bun.sleep(10);
    clearInterval(report);
    for (const wire of this.#wires) wire.close();
    print({ ...this.#all.read(true), seconds: this.#spec.seconds });
  }

  /** A connection that asked for something before: one that did not is closed by the server after ten seconds. */
  async #open(): Promise<Wire> {
    const wire = await Wire.open(this.#host, this.#port);
    await new Promise<void>((resolve) => wire.send(HELLO, () => resolve()));
    return wire;
  }

  async #sendOnTime(startedAt: number, endsAt: number, perSecond: number): Promise<void> {
    let issued = 0;
    for (let now = performance.now(); now < endsAt; now = performance.now()) {
      const due = Math.floor(((now - startedAt) / 1_000) * perSecond);
      for (; issued < due; issued++) {
        const index = this.#free.pop();
        this.#count("offered");
        if (index === undefined) this.#count("unsent");
        else this.#send(index, startedAt + (issued / perSecond) * 1_000);
      }
      await Bun.sleep(TICK_MS);
    }
  }

  #count(what: "offered" | "unsent"): void {
    this.#all[what] += 1;
    this.#second[what] += 1;
  }

  #send(index: number, dueAt: number): void {
    this.#underWay += 1;
    if (this.#spec.perSecond === null) this.#count("offered");
    this.#wires[index]!.send(this.#requests[index]!(), (status, retryAfterS) => {
      const ms = performance.now() - dueAt;
      this.#all.add(status, retryAfterS, ms);
      this.#second.add(status, retryAfterS, ms);
      this.#underWay -= 1;
      this.#release(index, status);
    });
  }

  #release(index: number, status: number): void {
    if (status === 0) {
      // A connection that broke is replaced, unless the server is gone.
      if (!this.#stopping)
        this.#open().then(
          (wire) => this.#replace(index, wire),
          () => {},
        );
      return;
    }
    if (this.#spec.perSecond === null && !this.#stopping) this.#send(index, performance.now());
    else this.#free.push(index);
  }

  #replace(index: number, wire: Wire): void {
    this.#wires[index] = wire;
    this.#release(index, 200);
  }
}

function print(line: LoadSecond): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

if (import.meta.main) await new Load(JSON.parse(process.argv[2]!) as LoadSpec).run();
