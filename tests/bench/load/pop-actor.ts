/**
 * Consumers: each connection pops, acknowledges when the actor says so, and pops again.
 *
 * @module
 */

import { AckRequest } from "./ack-request.ts";
import { exchange, type Figures, type RunningActor, type Stage } from "./actor.ts";
import { HttpConnection } from "./connection.ts";
import { SEQUENCE_DIGITS, SEQUENCE_MARK } from "./payloads.ts";
import { AnswerLength, PopAnswer } from "./pop-answer.ts";
import type { PopActor } from "./protocol.ts";
import { readSegments, segmentsAsJson } from "./segment-answer.ts";

const KEEP_BYTES_MAX = 256 * 1024 * 1024;
/** Auto-acknowledged answers longer than this are counted by their length instead of being kept. */
const COUNT_BY_LENGTH_ABOVE = 32 * 1024;
const EMPTY_WAIT_MS = 2;
/** The group of a pop that names none. */
const QUEUE_MODE = "__QUEUE_MODE__";
const SEQUENCE_BYTES = Buffer.from(SEQUENCE_MARK);

/** What the connections of one actor share. */
interface Shared {
  actor: PopActor;
  stage: Stage;
  pops: Figures;
  acks: Figures;
  deliveries: Figures;
  lengths: AnswerLength;
  /** Messages still wanted by the stop rule. */
  left: number;
  /** Called when nothing is wanted any more: consumers that still wait for messages need not be waited for. */
  satisfied: () => void;
  /** Number of the group in use, with `endlessGroups`. */
  pass: number;
}

/**
 * Makes the consumers of one actor.
 *
 * @param actor - What they pop.
 * @param stage - Where they play.
 * @returns The actor, not yet connected.
 */
export function popActor(actor: PopActor, stage: Stage): RunningActor {
  const consumers: Consumer[] = [];
  const satisfied = Promise.withResolvers<void>();
  const shared: Shared = {
    actor,
    stage,
    pops: stage.figures(`${actor.name}.pop`),
    acks: stage.figures(`${actor.name}.ack`),
    deliveries: stage.figures(`${actor.name}.delivery`),
    lengths: new AnswerLength(),
    left: actor.stop?.messages ?? Number.POSITIVE_INFINITY,
    satisfied: satisfied.resolve,
    pass: 0,
  };
  return {
    open: async () => {
      for (let index = 0; index < actor.connections; index++) {
        const pop = await HttpConnection.open(stage.host, stage.port, actor.pauseMs);
        const ack = actor.ack === "unawaited" ? await HttpConnection.open(stage.host, stage.port) : pop;
        consumers.push(new Consumer(index, shared, pop, ack));
      }
    },
    play: async () => {
      await Promise.race([Promise.all(consumers.map((consumer) => consumer.play())), satisfied.promise]);
      await Promise.all(consumers.map((consumer) => consumer.unawaited));
    },
    close: () => {
      for (const consumer of consumers) consumer.close();
    },
  };
}

class Consumer {
  readonly #index: number;
  readonly #shared: Shared;
  readonly #pop: HttpConnection;
  readonly #ack: HttpConnection;
  readonly #answer = new PopAnswer();
  #ackRequest: AckRequest | null = null;
  /** Of the last answer of segments. */
  #leaseId = "";
  #pass = -1;
  #group = "";
  #request: Buffer = Buffer.alloc(0);
  /** The acknowledgement under way that the consumer does not wait for. */
  unawaited: Promise<void> = Promise.resolve();
  #closed = false;
  /** Number the next message must carry, with `consecutive`. */
  #expected = 0;

  constructor(index: number, shared: Shared, pop: HttpConnection, ack: HttpConnection) {
    this.#index = index;
    this.#shared = shared;
    this.#pop = pop;
    this.#ack = ack;
  }

  async play(): Promise<void> {
    const { stage, actor } = this.#shared;
    while (this.#shared.left > 0 && !stage.stopping) {
      if (this.#pass !== this.#shared.pass) this.#enterPass(this.#shared.pass);
      const messages = await this.#popOnce();
      if (messages < 0) return;
      if (messages === 0 && actor.endlessGroups && this.#pass === this.#shared.pass) this.#shared.pass++;
      else if (messages === 0 && actor.waitMs === undefined) await Bun.sleep(EMPTY_WAIT_MS);
    }
  }

  close(): void {
    this.#closed = true;
    this.#pop.close();
    this.#ack.close();
  }

  #enterPass(pass: number): void {
    const { actor, stage } = this.#shared;
    this.#pass = pass;
    this.#group = actor.endlessGroups ? `${actor.group}-${String(pass).padStart(6, "0")}` : actor.group;
    const partition =
      actor.partitions === undefined ? "" : `/partition/${actor.partitions[this.#index % actor.partitions.length]}`;
    const query = new URLSearchParams({ batch: String(actor.batch), partitions: String(actor.partitionsPerPop ?? 1) });
    if (this.#group !== "") query.set("consumerGroup", this.#group);
    if (actor.ack === "auto") query.set("autoAck", "true");
    if (actor.waitMs !== undefined) query.set("wait", "true");
    if (actor.waitMs !== undefined) query.set("timeout", String(actor.waitMs));
    this.#request = Buffer.from(
      `GET /api/v1/pop/queue/${actor.queue}${partition}?${query} HTTP/1.1\r\nHost: ${stage.host}\r\n${
        actor.segments ? "Accept: application/vnd.queen.segments\r\n" : ""
      }\r\n`,
    );
    this.#ackRequest = new AckRequest(stage.host, this.#group || QUEUE_MODE);
  }

  /** Pops, reads and acknowledges once; gives the messages, or -1 when the window closed while it waited. */
  async #popOnce(): Promise<number> {
    const { actor, stage, pops, lengths } = this.#shared;
    const countable =
      !actor.consecutive && !actor.segments && actor.ack === "auto" && stage.checker === null && lengths.known;
    const startedAt = performance.now();
    const answered = await exchange(this.#pop, this.#request, countable ? COUNT_BY_LENGTH_ABOVE : KEEP_BYTES_MAX, pops);
    if (this.#closed) return -1;
    const { status, length, body } = answered;
    const messages = this.#count(status, length, body);
    if (messages > 0 || actor.waitMs === undefined) pops.answered(startedAt, messages);
    if (messages === 0) return 0;
    if (actor.consecutive) stage.wrong += this.#countWrong(body!);
    if (stage.sentAt.size > 0) this.#measureDelivery(body!);
    if (actor.ack !== "auto" && actor.ack !== "none") await this.#acknowledge(body!, messages);
    stage.consumerBusyMs[this.#index] = (stage.consumerBusyMs[this.#index] ?? 0) + performance.now() - startedAt;
    this.#shared.left -= messages;
    if (this.#shared.left <= 0) this.#shared.satisfied();
    stage.gauge.deliver(messages);
    return messages;
  }

  #count(status: number, length: number, body: Buffer | null): number {
    const { actor, stage, lengths } = this.#shared;
    if (status === 204 || length === 0) return 0;
    if (body === null) return lengths.count(length);
    if (actor.segments) return this.#countSegments(body);
    const messages = this.#answer.read(body);
    if (length > COUNT_BY_LENGTH_ABOVE) lengths.learn(length, messages, this.#answer.stride);
    const checked = stage.checker?.popped(this.#group || QUEUE_MODE, body, actor.ack !== "auto");
    if (checked !== undefined && checked !== messages)
      throw new Error(`an answer of ${checked} messages was read as ${messages}`);
    return messages;
  }

  #countSegments(body: Buffer): number {
    const { actor, stage } = this.#shared;
    const { messages, leaseId } = readSegments(body);
    this.#leaseId = leaseId;
    const checked = stage.checker?.popped(this.#group || QUEUE_MODE, segmentsAsJson(body), actor.ack !== "auto");
    if (checked !== undefined && checked !== messages)
      throw new Error(`an answer of ${checked} messages was read as ${messages}`);
    return messages;
  }

  /** Acknowledges the whole lease of the last answer. */
  async #acknowledgeLease(body: Buffer, messages: number): Promise<void> {
    const { actor, stage, acks } = this.#shared;
    const { leaseAt } = this.#answer;
    const leaseId = actor.segments ? this.#leaseId : body.toString("latin1", leaseAt, leaseAt + 36);
    const request = `POST /api/v1/lease/${leaseId}/ack HTTP/1.1\r\nHost: ${stage.host}\r\nContent-Length: 0\r\n\r\n`;
    const startedAt = performance.now();
    const { body: result } = await exchange(this.#ack, Buffer.from(request), KEEP_BYTES_MAX, acks);
    acks.answered(startedAt, messages);
    const text = result!.toString();
    if (!text.includes(`"success":true,"error":null,"acknowledged":${messages},`))
      throw new Error(`the lease of ${messages} messages was answered ${text}`);
  }

  async #acknowledge(body: Buffer, messages: number): Promise<void> {
    if (this.#shared.actor.ack === "lease") return this.#acknowledgeLease(body, messages);
    if (this.#shared.actor.ack === "unawaited") {
      await this.unawaited;
      this.unawaited = this.#acknowledgePart(body, 0, messages);
      return;
    }
    const step = this.#shared.actor.ack === "single" ? 1 : messages;
    // The body is overwritten by the answer to the acknowledgement when both use one connection.
    const kept = step < messages ? Buffer.from(body) : body;
    for (let first = 0; first < messages; first += step) await this.#acknowledgePart(kept, first, step);
  }

  async #acknowledgePart(body: Buffer, first: number, count: number): Promise<void> {
    const { stage, acks } = this.#shared;
    const request = this.#ackRequest!.fill(body, this.#answer, first, count);
    const startedAt = performance.now();
    const { body: result } = await exchange(this.#ack, request, KEEP_BYTES_MAX, acks);
    acks.answered(startedAt, count);
    if (stage.checker !== null) stage.checker.acknowledged(count, result!);
    else if (result!.includes('"success":false'))
      throw new Error(`an acknowledgement was refused: ${result!.toString("utf8", 0, 300)}`);
  }

  /** Payloads all have the same length, so the number stands at the same distance from every transaction id. */
  #countWrong(body: Buffer): number {
    const { idAt, count } = this.#answer;
    const delta = body.indexOf(SEQUENCE_BYTES) + SEQUENCE_BYTES.length - idAt[0]!;
    let wrong = 0;
    for (let index = 0; index < count; index++) {
      let number = 0;
      for (let digit = 0; digit < SEQUENCE_DIGITS; digit++)
        number = number * 10 + body[idAt[index]! + delta + digit]! - 48;
      if (number !== this.#expected) wrong++;
      this.#expected = number + 1;
    }
    return wrong;
  }

  #measureDelivery(body: Buffer): void {
    const { stage, deliveries } = this.#shared;
    for (let at = body.indexOf(SEQUENCE_BYTES); at >= 0; at = body.indexOf(SEQUENCE_BYTES, at + 1)) {
      const digits = at + SEQUENCE_BYTES.length;
      const number = Number(body.toString("latin1", digits, digits + SEQUENCE_DIGITS));
      const sentAt = stage.sentAt.get(number);
      if (sentAt !== undefined) deliveries.answered(sentAt, 1);
      stage.sentAt.delete(number);
    }
  }
}
