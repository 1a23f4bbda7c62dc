/**
 * Deduplication lasts as long as the message: an id whose message was taken away is new again, also to a worker that
 * remembers having appended it.
 */
import { describe, expect, test } from "bun:test";
import { uniqueName, uuidV7 } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();

const KINDS: [string, () => string][] = [
  ["a v7 id", () => uuidV7()],
  ["free text", () => uniqueName("id")],
];

describe("an id whose message is gone", () => {
  for (const [kind, newId] of KINDS) {
    test(`${kind} is queued again after the message was deleted`, async () => {
      const item = { queue: uniqueName("gone"), partition: "p", payload: 1, transactionId: newId() };
      const [first] = await api.push(item);
      expect((await api.http.del(`/api/v1/messages/${first!.partition_id}/${item.transactionId}`)).json.success).toBe(
        true,
      );
      const [again] = await api.push(item);
      expect(again!.status).toBe("queued");
      expect(await api.push(item)).toMatchObject([{ status: "duplicate", message_id: again!.message_id }]);
      expect((await api.pop(item.queue, { batch: 10 })).map((message) => message.id)).toEqual([again!.message_id]);
    });

    test(`${kind} is queued again after the queue was cleared`, async () => {
      const item = { queue: uniqueName("gone"), partition: "p", payload: 1, transactionId: newId() };
      await api.push(item);
      expect((await api.http.del(`/api/v1/queues/${item.queue}/clear`)).json.count).toBe(1);
      const [again] = await api.push(item);
      expect(again!.status).toBe("queued");
      expect((await api.pop(item.queue, { batch: 10 })).map((message) => message.id)).toEqual([again!.message_id]);
    });
  }
});
