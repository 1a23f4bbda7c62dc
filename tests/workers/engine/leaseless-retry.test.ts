/**
 * `retry` without a lease id gives a lease back when any message it names was handed out under it.
 */
import { expect, test } from "bun:test";
import { ackOf } from "../../support/api.ts";
import { uniqueName } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();

for (const order of ["before", "after"]) {
  test(`retry of a leased message gives the lease back when one outside the lease stands ${order} it`, async () => {
    const queue = uniqueName("retry");
    await api.pushAll(queue, "p", [1, 2]);
    const held = await api.popPartition(queue, "p", { batch: 1 });
    const leased = ackOf(held[0]!, "retry");
    const outside = { ...leased, transactionId: "2" };
    const results = await api.ackBatch(order === "before" ? [outside, leased] : [leased, outside]);
    expect(results).toMatchObject([
      { success: true, leaseReleased: true },
      { success: true, leaseReleased: true },
    ]);
    expect((await api.popPartition(queue, "p", { batch: 10 })).map((message) => message.data)).toEqual([1, 2]);
  });
}
