/**
 * Calls of consumers that note themselves in the history.
 *
 * @module
 */
import { type AckResult, type Popped, type PopQuery, type PushItem, popPath, query } from "../../support/api.ts";
import type { Random } from "../../support/random.ts";
import { type AckRecord, timed } from "../history/history.ts";
import type { Scene } from "./scene.ts";

/** What is said of a delivered message. */
export interface Verdict {
  message: Popped;
  status: AckRecord["status"];
}

/** Pops; nothing when there is no answer. `abortMs`: the client goes away after so long. */
export async function pop(
  scene: Scene,
  random: Random,
  group: string,
  params: PopQuery,
  partition: string | null = null,
  abortMs: number | null = null,
): Promise<Popped[]> {
  const { http } = scene.api(random);
  const path = popPath(scene.queue, partition ?? undefined) + query({ ...params, consumerGroup: group });
  const signal = abortMs === null ? undefined : AbortSignal.timeout(abortMs);
  const { start, end, value } = await timed(() => http.call("GET", path, signal ? { signal } : {}));
  const known = value !== undefined;
  if (value && value.status >= 300) throw new Error(`pop: ${value.status} ${value.text}`);
  const messages: Popped[] = known && value.status === 200 ? value.json.messages : [];
  scene.history.pops.push({
    ...{ start, end, group, partition, autoAck: params.autoAck === true, leaseId: messages[0]?.leaseId ?? "" },
    outcome: known ? "answered" : "unknown",
    messages: messages.map((message) => ({
      partition: message.partition,
      transactionId: message.transactionId,
      messageId: message.id,
    })),
  });
  if (messages[0] && random.chance(0.1)) scene.createdAt.push(messages[0].createdAt);
  return messages;
}

function outcomeOf(result: AckResult | undefined): AckRecord["outcome"] {
  if (!result) return "unknown";
  if (result.success) return "recorded";
  return result.error === "Message not found" ? "missing" : "refused";
}

/** Acknowledges in one request. False when there was no answer. */
export async function acknowledge(
  scene: Scene,
  random: Random,
  verdicts: readonly Verdict[],
  leased: boolean,
): Promise<boolean> {
  if (verdicts.length === 0) return true;
  const { http } = scene.api(random);
  const group = verdicts[0]!.message.consumerGroup;
  const acks = verdicts.map(({ message, status }) => {
    const { transactionId, partitionId, leaseId } = message;
    return { transactionId, partitionId, status, ...(leased ? { leaseId } : {}) };
  });
  const single = acks.length === 1 && random.chance(0.5);
  const { start, end, value } = await timed(() =>
    single
      ? http.post("/api/v1/ack", { ...acks[0], consumerGroup: group })
      : http.post("/api/v1/ack/batch", { acknowledgments: acks, consumerGroup: group }),
  );
  if (value && value.status >= 300) throw new Error(`ack: ${value.status} ${value.text}`);
  const results: AckResult[] = value?.status === 200 ? value.json : [];
  const call = scene.history.newCall();
  for (const [at, { message, status }] of verdicts.entries()) {
    const { partition, transactionId } = message;
    const dlq = results[at]?.dlq === true;
    scene.history.acks.push({
      ...{ start, end, call, group, partition, transactionId, status, dlq, final: false },
      leaseId: leased ? message.leaseId : null,
      outcome: outcomeOf(results[at]),
    });
    if (dlq && !transactionId.startsWith("poison")) scene.dead.push({ partition, transactionId });
  }
  return results.length > 0;
}

/** Says one thing of everything under the lease of a delivery. */
export async function acknowledgeLease(
  scene: Scene,
  random: Random,
  messages: readonly Popped[],
  status: "completed" | "retry",
): Promise<void> {
  const { http } = scene.api(random);
  const { leaseId, consumerGroup: group } = messages[0]!;
  const { start, end, value } = await timed(() => http.post(`/api/v1/lease/${leaseId}/ack`, { status }));
  const known = value?.json.success === true ? ("recorded" as const) : ("refused" as const);
  const outcome = value ? known : ("unknown" as const);
  const call = scene.history.newCall();
  for (const { partition, transactionId } of messages) {
    const ack = {
      start,
      end,
      call,
      group,
      partition,
      transactionId,
      leaseId,
      status,
      outcome,
      dlq: false,
      final: false,
    };
    scene.history.acks.push(ack);
  }
}

/** Acknowledges and pushes in one transaction. */
export async function transact(
  scene: Scene,
  random: Random,
  verdicts: readonly Verdict[],
  items: readonly PushItem[],
): Promise<void> {
  const api = scene.api(random);
  const leaseId = random.chance(0.5) ? verdicts[0]!.message.leaseId : null;
  const operations = [
    ...verdicts.map(({ message: { transactionId, partitionId, consumerGroup }, status }) => {
      const ack = { type: "ack", transactionId, partitionId, consumerGroup, status };
      return leaseId === null ? ack : { ...ack, leaseId };
    }),
    { type: "push", items },
  ];
  const { start, end, value } = await timed(() => api.transaction(operations));
  const call = scene.history.newCall();
  for (const { message, status } of verdicts) {
    const { partition, transactionId, consumerGroup: group } = message;
    const applied = value?.success === true ? "recorded" : "missing";
    scene.history.acks.push({
      ...{ start, end, call, group, partition, transactionId, status, leaseId, final: true },
      outcome: value ? applied : "unknown",
      dlq: value?.success === true && status !== "completed",
    });
  }
  const ids = items.map(({ partition, transactionId }) => ({ partition: partition!, transactionId: transactionId! }));
  const committed = value?.success === true ? ("committed" as const) : ("rolled back" as const);
  scene.history.transactions.push({ start, end, call, outcome: value ? committed : "unknown", pushes: ids });
  // One that failed has pushed nothing: its ids must not turn up.
  for (const [at, { partition, transactionId }] of items.entries()) {
    if (value && !value.success) continue;
    const messageId: string | null = value?.results[verdicts.length + at].messageId ?? null;
    const outcome = value ? "queued" : "unknown";
    scene.history.pushes.push({ start, end, partition: partition!, transactionId: transactionId!, outcome, messageId });
  }
}

/** Extends the lease of a delivery. */
export async function extend(scene: Scene, random: Random, leaseId: string, seconds: number): Promise<void> {
  const { http } = scene.api(random);
  const { start, end, value } = await timed(() => http.post(`/api/v1/lease/${leaseId}/extend`, { seconds }));
  const known = value?.json.success === true ? "extended" : "refused";
  scene.history.extensions.push({ start, end, leaseId, ms: seconds * 1_000, outcome: value ? known : "unknown" });
}

/** Moves a group: to the end, or behind the creation of a message that was seen. */
export async function seek(scene: Scene, random: Random, group: string): Promise<void> {
  const { http } = scene.api(random);
  const timestamp = scene.createdAt.length > 0 && random.chance(0.7) ? random.pick(scene.createdAt) : null;
  const path = `/api/v1/consumer-groups/${group}/queues/${scene.queue}/seek`;
  const { start, end } = await timed(() => http.post(path, timestamp ? { timestamp } : { toEnd: true }));
  const reset = { start, end, group, partition: null, transactionId: null };
  scene.history.resets.push({ ...reset, effect: "end" });
  if (timestamp) scene.history.resets.push({ ...reset, effect: "back" });
}
