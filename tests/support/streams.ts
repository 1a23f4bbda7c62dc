/**
 * Calls of streaming queries, and what a stream's SDK does with them.
 *
 * @module
 */
import { type Api, type Popped, type PushResult, query } from "./api.ts";
import { uniqueName } from "./names.ts";

/** The answer of a cycle. */
export interface CycleAnswer {
  success: boolean;
  error?: string;
  query_id: string;
  partition_id: string;
  queueName: string | null;
  state_ops_applied: number;
  push_results: PushResult[];
  ack_result: { success: boolean; count: number; lease_released: boolean; dlq: boolean } | null;
}

/** One state. */
export interface StateRow {
  key: string;
  value: unknown;
  updated_at: string;
}

/** Registers a query under a name of its own. */
export async function registerQuery(api: Api, more: object = {}): Promise<string> {
  const body = { name: uniqueName("query"), source_queue: "source", config_hash: "h", ...more };
  const answer = await api.http.post("/streams/v1/queries", body);
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  return answer.json.query_id;
}

/** Sends a cycle, whatever comes of it. */
export async function cycle(api: Api, body: object): Promise<CycleAnswer> {
  const answer = await api.http.post("/streams/v1/cycle", body);
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  return answer.json;
}

/** Reads states. */
export async function states(api: Api, body: object): Promise<StateRow[]> {
  const answer = await api.http.post("/streams/v1/state/get", body);
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  return answer.json.rows;
}

/** The acknowledgement of everything up to a message, under its lease. */
export function streamAckOf(message: Popped, more: object = {}): object {
  return { transactionId: message.transactionId, leaseId: message.leaseId, ...more };
}

/** Pops as the SDKs do: 200 messages of 4 partitions, in a group named after the query. */
export async function popAsSdk(api: Api, queue: string, queryId: string, more: object = {}): Promise<Popped[]> {
  const wish = { batch: 200, wait: true, timeout: 1000, consumerGroup: `streams.${queryId}`, partitions: 4, ...more };
  const answer = await api.http.get(`/api/v1/pop/queue/${queue}${query(wish)}`);
  return answer.status === 204 ? [] : answer.json.messages;
}
