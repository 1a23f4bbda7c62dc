import { expect, test } from "bun:test";
import { uniqueName } from "../../support/names.ts";
import { OctoberApi } from "../../support/october.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
const october = new OctoberApi(api.http);

const MESSAGES = 200;
const PARTITIONS = 5;
const CONSUMERS = 10;
const RETRY_LIMIT = 2;
/** What becomes of message `n`: a dead letter, completed at the second attempt, or at once. */
const alwaysFails = (n: number) => n % 7 === 0;
const failsOnce = (n: number) => n % 5 === 1;

test("many consumers, acknowledgements in any order and twice: attempts, dead letters and completions are exact", async () => {
  const queue = uniqueName("races");
  await october.configure(queue, { retryLimit: RETRY_LIMIT, dlqAfterMaxRetries: true });
  const id = (n: number) => `${queue} ${n}`;
  await october.push(
    ...Array.from({ length: MESSAGES }, (_, n) => ({
      queue,
      partition: `p${n % PARTITIONS}`,
      payload: n,
      transactionId: id(n),
    })),
  );
  const deliveries = new Array<number>(MESSAGES).fill(0);
  const ended = new Map<number, string>();
  async function consume(): Promise<void> {
    while (ended.size < MESSAGES) {
      const messages = await october.popQueue(queue, { batch: 7, wait: true, timeout: 200 });
      const shuffled = messages.map((message) => ({ message, at: Math.random() })).sort((a, b) => a.at - b.at);
      await Promise.all(
        shuffled.map(async ({ message }) => {
          const n = message.data as number;
          deliveries[n]! += 1;
          const status = alwaysFails(n) || (failsOnce(n) && message.retryCount === 0) ? "failed" : "completed";
          const [answer] = await Promise.all([
            october.ack(message.transactionId, status),
            Math.random() < 0.3 ? october.ack(message.transactionId, status) : null,
          ]);
          if (answer.status !== "failed") ended.set(n, answer.status);
        }),
      );
    }
  }
  await Promise.all(Array.from({ length: CONSUMERS }, consume));
  for (let n = 0; n < MESSAGES; n += 1) {
    const attempts = alwaysFails(n) ? RETRY_LIMIT + 1 : failsOnce(n) ? 2 : 1;
    expect([n, deliveries[n], ended.get(n)]).toEqual([n, attempts, alwaysFails(n) ? "dead_letter" : "completed"]);
  }
  expect(await october.popQueue(queue)).toEqual([]);
  const { totals } = await october.read(`/analytics/queue/${queue}`);
  const dead = Array.from({ length: MESSAGES }, (_, n) => n).filter(alwaysFails).length;
  expect(totals).toEqual({
    pending: 0,
    processing: 0,
    completed: MESSAGES - dead,
    failed: 0,
    deadLetter: dead,
    total: MESSAGES,
  });
});
