/**
 * The routes of the server as typed calls, for tests that care about effects rather than about the wire.
 *
 * Every call expects success and throws with the answer otherwise; tests of refusals use {@link Http} directly.
 *
 * @module
 */
import type { Answer, Http } from "./http.ts";

/** One item of a push. */
export interface PushItem {
  queue: string;
  partition?: string;
  payload?: unknown;
  transactionId?: string;
  traceId?: string;
}

/** One element of the answer to a push. */
export interface PushResult {
  index: number;
  status: "queued" | "duplicate" | "failed" | "buffered";
  transaction_id: string;
  message_id: string;
  partition_id?: string;
  trace_id?: string | null;
  queueName: string;
  error?: string;
}

/** A delivered message. */
export interface Popped {
  id: string;
  transactionId: string;
  traceId: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a payload is whatever the test pushed.
  data: any;
  producerSub: string | null;
  createdAt: string;
  partitionId: string;
  partition: string;
  leaseId: string;
  consumerGroup: string;
}

/** Query parameters of a pop. */
export interface PopQuery {
  batch?: number;
  wait?: boolean;
  timeout?: number;
  consumerGroup?: string;
  autoAck?: boolean;
  subscriptionMode?: string;
  subscriptionFrom?: string;
  partitions?: number;
  namespace?: string;
  task?: string;
}

/** One acknowledgement; `leaseId: undefined` sends none. */
export interface AckItem {
  transactionId: string;
  partitionId: string;
  status?: string | null;
  error?: string | null;
  leaseId?: string | null;
  consumerGroup?: string | null;
}

/** One element of the answer to an ack. */
export interface AckResult {
  index: number;
  transactionId: string;
  success: boolean;
  error: string | null;
  queueName: string | null;
  partitionName: string | null;
  leaseReleased: boolean | null;
  dlq: boolean;
}

/** One row of the dead-letter list. */
export interface DeadLetter {
  id: string;
  transactionId: string;
  partitionId: string;
  queue: string;
  partition: string;
  consumerGroup: string;
  errorMessage: string;
  retryCount: number;
  data: unknown;
  producerSub: string | null;
  createdAt: string;
  failedAt: string;
}

/** @returns The query string with its `?`, or nothing when there are no parameters. */
export function query(params: object): string {
  const pairs = Object.entries(params).filter(([, value]) => value !== undefined);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}`;
}

/** @returns The path of a pop of a queue, or of one of its partitions, names percent-encoded. */
export function popPath(queue: string, partition?: string): string {
  const path = `/api/v1/pop/queue/${encodeURIComponent(queue)}`;
  return partition === undefined ? path : `${path}/partition/${encodeURIComponent(partition)}`;
}

/** Typed calls on one server. */
export class Api {
  readonly http: Http;

  constructor(http: Http) {
    this.http = http;
  }

  /** @returns The answer of configure. `names` may hold `namespace` and `task`. */
  async configure(queue: string, options: object = {}, names: object = {}): Promise<Answer["json"]> {
    return expectOk(await this.http.post("/api/v1/configure", { queue, ...names, options }));
  }

  /** Pushes items in one request. */
  async push(...items: PushItem[]): Promise<PushResult[]> {
    return expectOk(await this.http.post("/api/v1/push", { items }));
  }

  /** Pushes payloads to one partition in one request; the transaction id of each begins as its payload in JSON does. */
  pushAll(queue: string, partition: string, payloads: unknown[]): Promise<PushResult[]> {
    return this.push(
      ...payloads.map((payload) => ({
        queue,
        partition,
        payload,
        transactionId: JSON.stringify(payload).slice(0, 200),
      })),
    );
  }

  /** Pops from any partition of a queue; empty when there is nothing. */
  pop(queue: string, params: PopQuery = {}): Promise<Popped[]> {
    return this.messages(popPath(queue) + query(params));
  }

  /** Pops from one partition. */
  popPartition(queue: string, partition: string, params: PopQuery = {}): Promise<Popped[]> {
    return this.messages(popPath(queue, partition) + query(params));
  }

  /** Pops from the queues of a namespace and/or task. */
  popFiltered(params: PopQuery): Promise<Popped[]> {
    return this.messages(`/api/v1/pop${query(params)}`);
  }

  /** Acknowledges one message. */
  async ack(item: AckItem): Promise<AckResult> {
    const results: AckResult[] = expectOk(await this.http.post("/api/v1/ack", item));
    return results[0]!;
  }

  /** Acknowledges several messages in one request. */
  async ackBatch(acknowledgments: AckItem[], consumerGroup?: string): Promise<AckResult[]> {
    return expectOk(await this.http.post("/api/v1/ack/batch", { acknowledgments, consumerGroup }));
  }

  /** Runs operations as one transaction. */
  async transaction(operations: object[]): Promise<Answer["json"]> {
    return expectOk(await this.http.post("/api/v1/transaction", { operations, requiredLeases: [] }));
  }

  /** Lists dead letters. */
  async deadLetters(params: object): Promise<DeadLetter[]> {
    return expectOk(await this.http.get(`/api/v1/dlq${query(params)}`)).messages;
  }

  /** Reads one message; `{error}` when there is none. */
  async message(of: { partitionId: string; transactionId: string }): Promise<Answer["json"]> {
    return expectOk(await this.http.get(messagePath(of)));
  }

  private async messages(path: string): Promise<Popped[]> {
    const answer = await this.http.get(path);
    return answer.status === 204 ? [] : expectOk(answer).messages;
  }
}

/** @returns The path of a message. */
export function messagePath(of: { partitionId: string; transactionId: string }): string {
  return `/api/v1/messages/${of.partitionId}/${encodeURIComponent(of.transactionId)}`;
}

/** @returns What an acknowledgement of this message needs, without its lease. */
export function ackOf(message: Popped, status = "completed", error?: string): AckItem {
  return {
    transactionId: message.transactionId,
    partitionId: message.partitionId,
    status,
    consumerGroup: message.consumerGroup,
    ...(error === undefined ? {} : { error }),
  };
}

/** @returns As {@link ackOf}, under the lease of the message. */
export function leasedAckOf(message: Popped, status = "completed", error?: string): AckItem {
  return { ...ackOf(message, status, error), leaseId: message.leaseId };
}

/** @returns The payloads, in delivery order. */
export function payloads(messages: readonly Popped[]): unknown[] {
  return messages.map((message) => message.data);
}

function expectOk(answer: Answer): Answer["json"] {
  if (answer.status >= 300) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  return answer.json;
}
