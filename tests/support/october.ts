/**
 * The routes of the October 2025 dialect as calls, for tests that care about effects rather than about the wire.
 *
 * @module
 */
import { query } from "./api.ts";
import type { Answer, Http } from "./http.ts";

/** A delivered message. */
export interface OctoberMessage {
  id: string;
  transactionId: string;
  traceId: string | null;
  queue: string;
  partition: string;
  data: unknown;
  payload: unknown;
  retryCount: number;
  priority: number;
  createdAt: string;
  consumerGroup: string | null;
}

/** What stands before the paths of the dialect. */
export const OCTOBER = "/2025-10";

/** Calls on one server; each expects success. */
export class OctoberApi {
  readonly http: Http;

  constructor(http: Http) {
    this.http = http;
  }

  /** Configures a queue; `names` may hold `namespace`, `task` and `partition`. */
  async configure(queue: string, options: object = {}, names: object = {}): Promise<Answer["json"]> {
    return expectOk(await this.http.post(`${OCTOBER}/api/v1/configure`, { queue, options, ...names }), 201);
  }

  /** Pushes items; returns the elements of `messages`. */
  async push(...items: object[]): Promise<Answer["json"]> {
    return expectOk(await this.http.post(`${OCTOBER}/api/v1/push`, { items }), 201).messages;
  }

  /** Pops by path; empty when there is nothing. */
  async pop(path: string, params: object = {}): Promise<OctoberMessage[]> {
    const answer = await this.http.get(`${OCTOBER}/api/v1/pop${path}${query(params)}`);
    return answer.status === 204 ? [] : expectOk(answer, 200).messages;
  }

  /** Pops from any partition of a queue. */
  popQueue(queue: string, params: object = {}): Promise<OctoberMessage[]> {
    return this.pop(`/queue/${encodeURIComponent(queue)}`, params);
  }

  /** Acknowledges one message. */
  async ack(
    transactionId: string,
    status = "completed",
    more: { error?: string; consumerGroup?: string } = {},
  ): Promise<Answer["json"]> {
    return expectOk(await this.http.post(`${OCTOBER}/api/v1/ack`, { transactionId, status, ...more }), 200);
  }

  /** Acknowledges many messages. */
  async ackBatch(acknowledgments: object[], consumerGroup?: string): Promise<Answer["json"]> {
    return expectOk(await this.http.post(`${OCTOBER}/api/v1/ack/batch`, { acknowledgments, consumerGroup }), 200);
  }

  /** Reads below the API of the dialect. */
  async read(path: string): Promise<Answer["json"]> {
    return expectOk(await this.http.get(`${OCTOBER}/api/v1${path}`), 200);
  }

  /** One message, which must exist. */
  message(transactionId: string): Promise<Answer["json"]> {
    return this.read(`/messages/${encodeURIComponent(transactionId)}`);
  }
}

function expectOk(answer: Answer, status: number): Answer["json"] {
  if (answer.status !== status) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  return answer.json;
}
