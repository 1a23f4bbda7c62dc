/**
 * A process that works on a spool until it is killed: `write` appends and prints each id once it is on disk; `drain` notes
 * each id in a file, batch by batch, before it advances.
 *
 * @module
 */
import { appendFileSync, writeSync } from "node:fs";
import { openSpool, pushOf } from "./support.ts";

const [what, folder, argument] = process.argv.slice(2) as [string, string, string];
const spool = await openSpool(folder, { fileMessagesMax: 200 });

async function write(): Promise<never> {
  let next = Number(argument);
  for (;;) {
    const group = Array.from({ length: 1 + (next % 7) }, () => next++);
    await Promise.all(
      group.map(async (id) => {
        await spool.append(pushOf([String(id)], undefined, JSON.stringify("x".repeat(id % 400))));
        writeSync(1, `${id}\n`);
      }),
    );
  }
}

async function drain(): Promise<void> {
  for (let batch = await spool.read(5, 1e6); batch; batch = await spool.read(5, 1e6)) {
    const ids = batch.pushes.flatMap((push) => push.items.map((item) => `${item.transactionId}\n`));
    appendFileSync(argument, ids.join(""));
    await spool.advance(batch);
    writeSync(1, `${batch.next}\n`);
  }
}

await (what === "write" ? write() : drain());
await spool.close();
