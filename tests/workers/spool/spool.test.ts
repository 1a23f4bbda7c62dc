/**
 * The spool with real files: order, places, torn tails, damage, bounds, encryption.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KeyRing } from "../../../schema/wire/segment.ts";
import { HEADER_BYTES, packPush } from "../../../workers/spool/record.ts";
import { drain, makeFolder, openSpool, pushOf, recordFiles, removeFolder } from "./support.ts";

const KEY = "11".repeat(32);
const OTHER_KEY = "22".repeat(32);
let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const names = (count: number, prefix = "t") => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe("order and places", () => {
  test("what is appended at once comes out in the order of the calls, after a restart too", async () => {
    const ids = names(500);
    let spool = await openSpool(folder);
    await Promise.all(ids.map((id) => spool.append(pushOf([id]))));
    expect(spool.messageCount).toBe(500);
    await spool.close();
    spool = await openSpool(folder);
    expect(spool.messageCount).toBe(500);
    expect(await drain(spool, 7)).toEqual(ids);
    expect([spool.messageCount, spool.bytes, spool.isEmpty]).toEqual([0, 0, true]);
    await spool.close();
    expect(recordFiles(folder)).toEqual([]);
  });

  test("all of a push comes back: queue, partition, ids, traces, payloads, producer, format", async () => {
    const spool = await openSpool(folder);
    const trace = "018f0000-0000-7000-8000-000000000000";
    const units = [
      {
        queue: "a:b",
        partition: "ü",
        transactionIds: ["1", "2"],
        traceIds: [trace, null],
        payloads: ['{"x":"\\ud800"}', "null"],
      },
      { queue: "c", partition: "", transactionIds: ["1"], traceIds: [null], payloads: ["1e400"] },
    ];
    await spool.append(packPush(units, false, "me", new KeyRing([])));
    const batch = await spool.read(10, 1e6);
    expect(batch!.pushes).toEqual([
      {
        cbor: false,
        producerSub: "me",
        items: [
          { queue: "a:b", partition: "ü", transactionId: "1", traceId: trace, payload: '{"x":"\\ud800"}' },
          { queue: "a:b", partition: "ü", transactionId: "2", traceId: null, payload: "null" },
          { queue: "c", partition: "", transactionId: "1", traceId: null, payload: "1e400" },
        ],
      },
    ]);
    await spool.close();
  });

  test("a batch never mixes JSON and CBOR", async () => {
    const spool = await openSpool(folder);
    const unit = {
      queue: "q",
      partition: "p",
      transactionIds: ["c"],
      traceIds: [null],
      payloads: [new Uint8Array([0xf6])],
    };
    await spool.append(pushOf(["a"]));
    await spool.append(packPush([unit], true, null, new KeyRing([])));
    await spool.append(pushOf(["b"]));
    const seen: [boolean, number][] = [];
    for (let batch = await spool.read(10, 1e6); batch; batch = await spool.read(10, 1e6)) {
      seen.push([batch.pushes[0]!.cbor, batch.pushes.length]);
      await spool.advance(batch);
    }
    expect(seen).toEqual([
      [false, 1],
      [true, 1],
      [false, 1],
    ]);
    await spool.close();
  });

  test("reading again without advancing gives the same; advancing is kept over a restart", async () => {
    let spool = await openSpool(folder);
    await Promise.all(names(10).map((id) => spool.append(pushOf([id]))));
    const batch = await spool.read(4, 1e6);
    expect((await spool.read(4, 1e6))!.pushes).toEqual(batch!.pushes);
    await spool.advance(batch!);
    // Before closing, as after a crash.
    const earlier = spool;
    spool = await openSpool(folder);
    await earlier.close();
    expect(spool.messageCount).toBe(6);
    expect(await drain(spool)).toEqual(names(10).slice(4));
    await spool.close();
  });

  test("appending goes on while the spool is read, and into new files", async () => {
    const spool = await openSpool(folder, { fileMessagesMax: 5 });
    const ids: string[] = [];
    const seen: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      const own = names(8, `${round}-`);
      ids.push(...own);
      const appended = own.map((id) => spool.append(pushOf([id])));
      const batch = await spool.read(6, 1e6);
      if (batch) {
        for (const push of batch.pushes) seen.push(push.items[0]!.transactionId!);
        await spool.advance(batch);
      }
      await Promise.all(appended);
    }
    expect(recordFiles(folder).length).toBeGreaterThan(1);
    seen.push(...(await drain(spool)));
    expect(seen).toEqual(ids);
    await spool.close();
  });

  test("numbers go on after everything was drained and the server started anew", async () => {
    let spool = await openSpool(folder);
    await spool.append(pushOf(["a"]));
    await drain(spool);
    await spool.close();
    spool = await openSpool(folder);
    await spool.append(pushOf(["b"]));
    await spool.close();
    spool = await openSpool(folder);
    expect(await drain(spool)).toEqual(["b"]);
    await spool.close();
  });

  test("a place that was half written counts as the one before it", async () => {
    let spool = await openSpool(folder);
    await Promise.all(names(6).map((id) => spool.append(pushOf([id]))));
    for (let n = 0; n < 2; n += 1) await spool.advance((await spool.read(2, 1e6))!);
    const path = join(folder, "position");
    const bytes = readFileSync(path);
    // The second place went into the other slot.
    bytes[4096 + 3]! ^= 0xff;
    await spool.close();
    writeFileSync(path, bytes);
    spool = await openSpool(folder);
    expect(await drain(spool)).toEqual(names(6).slice(2));
    await spool.close();
  });
});

describe("torn tails and damage", () => {
  async function filled(count: number): Promise<string> {
    const spool = await openSpool(folder);
    for (const id of names(count)) await spool.append(pushOf([id]));
    await spool.close();
    return recordFiles(folder)[0]!;
  }

  test("a record cut short at any byte is cut off, and those before it stay", async () => {
    const path = await filled(3);
    const whole = readFileSync(path);
    const size = whole.length / 3;
    for (let cut = 1; cut < size; cut += 3) {
      writeFileSync(path, whole.subarray(0, whole.length - cut));
      const spool = await openSpool(folder);
      expect(spool.messageCount).toBe(2);
      expect(statSync(path).size).toBe(2 * size);
      await spool.close();
    }
  });

  test("rubbish behind the last record is cut off; a file of nothing else is removed", async () => {
    const path = await filled(2);
    const size = statSync(path).size;
    appendFileSync(path, Buffer.alloc(5_000));
    appendFileSync(path, "QSP1QSP1QSP1");
    writeFileSync(join(folder, "0000000000009999.spool"), Buffer.alloc(100));
    const damage: unknown[] = [];
    const spool = await openSpool(folder, { onDamage: (fields) => damage.push(fields) });
    expect(statSync(path).size).toBe(size);
    expect(recordFiles(folder)).toEqual([path]);
    expect(damage).toEqual([]);
    expect(await drain(spool)).toEqual(names(2));
    // The number in the name of the removed file is not used again.
    await spool.append(pushOf(["later"]));
    expect(recordFiles(folder)[0]).toEndWith("0000000000010000.spool");
    await spool.close();
  });

  test("a record whose checksum is wrong is set aside and told of; those around it are delivered", async () => {
    const path = await filled(3);
    const bytes = readFileSync(path);
    const size = bytes.length / 3;
    bytes[size + HEADER_BYTES + 2]! ^= 1;
    writeFileSync(path, bytes);
    const damage: { start: number; end: number }[] = [];
    const spool = await openSpool(folder, { onDamage: (fields) => damage.push(fields) });
    expect(damage).toMatchObject([{ start: size, end: 2 * size }]);
    expect(spool.failed.count).toBe(1);
    expect(await drain(spool)).toEqual(["t0", "t2"]);
    const [kept] = readdirSync(join(folder, "failed"));
    expect(readFileSync(join(folder, "failed", kept!))).toEqual(bytes.subarray(size, 2 * size));
    await spool.close();
  });

  test("damage that happens while the server runs is set aside as well", async () => {
    const spool = await openSpool(folder);
    for (const id of names(3)) await spool.append(pushOf([id]));
    const path = recordFiles(folder)[0]!;
    truncateSync(path, statSync(path).size - 1);
    expect(await drain(spool)).toEqual(["t0", "t1"]);
    expect(spool.isEmpty).toBe(true);
    expect(spool.messageCount).toBe(0);
    await spool.close();
  });

  test("a file that is gone does not hold up the rest", async () => {
    const spool = await openSpool(folder, { fileMessagesMax: 1 });
    for (const id of names(3)) await spool.append(pushOf([id]));
    removeFolder(recordFiles(folder)[0]!);
    expect(await drain(spool)).toEqual(["t1", "t2"]);
    expect(spool.isEmpty).toBe(true);
    await spool.close();
  });
});

describe("bounds and failures", () => {
  test("past its bytes a push is refused and nothing of it stays; draining makes room", async () => {
    const big = JSON.stringify(Buffer.from(crypto.getRandomValues(new Uint8Array(30_000))).toString("base64"));
    const spool = await openSpool(folder, { bytesMax: 75_000 });
    await spool.append(pushOf(["a"], undefined, big));
    await spool.append(pushOf(["b"], undefined, big));
    await expect(spool.append(pushOf(["c"], undefined, big))).rejects.toMatchObject({
      code: "SPOOL_FULL",
      status: 503,
    });
    await spool.append(pushOf(["d"]));
    expect(spool.bytes).toBeLessThan(75_000);
    expect(await drain(spool)).toEqual(["a", "b", "d"]);
    await spool.append(pushOf(["e"], undefined, big));
    expect(await drain(spool)).toEqual(["e"]);
    await spool.close();
  });

  test("the bound holds for pushes that come at once, too", async () => {
    const big = JSON.stringify(Buffer.from(crypto.getRandomValues(new Uint8Array(30_000))).toString("base64"));
    const spool = await openSpool(folder, { bytesMax: 75_000 });
    const outcomes = await Promise.allSettled(names(10).map((id) => spool.append(pushOf([id], undefined, big))));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    expect(await drain(spool)).toEqual(["t0", "t1"]);
    await spool.close();
  });

  test("a write that fails refuses its pushes only; the next one gets a file of its own", async () => {
    const spool = await openSpool(folder);
    await spool.append(pushOf(["a"]));
    await drain(spool);
    // The name of the next file is taken by a folder.
    const taken = join(folder, "0000000000000002.spool");
    writeFileSync(taken, "");
    await expect(spool.append(pushOf(["b"]))).rejects.toMatchObject({ code: "SPOOL_WRITE_FAILED" });
    await spool.append(pushOf(["c"]));
    expect(await drain(spool)).toEqual(["c"]);
    await spool.close();
  });

  test("refused messages are kept, counted, and known after a restart", async () => {
    let spool = await openSpool(folder);
    await spool.refuse(7, ['{"a":1}', '{"a":2}']);
    expect(spool.failed).toMatchObject({ count: 1, messages: 2, bytes: 16 });
    // A replay that is repeated replaces what it set aside.
    await spool.refuse(7, ['{"a":1}', '{"a":2}']);
    await spool.close();
    spool = await openSpool(folder);
    expect(spool.failed).toMatchObject({ count: 1, messages: 2, bytes: 16 });
    const [name] = readdirSync(join(folder, "failed"));
    expect(readFileSync(join(folder, "failed", name!), "utf8")).toBe('{"a":1}\n{"a":2}\n');
    await spool.close();
  });
});

describe("encryption", () => {
  const secret = JSON.stringify("very secret ".repeat(5));

  test("with a key nothing is readable on disk, refused messages included; a previous key still reads", async () => {
    const ring = new KeyRing([KEY]);
    let spool = await openSpool(folder, { ring });
    await spool.append(pushOf(["a"], ring, secret));
    await spool.refuse(1, [secret]);
    await spool.close();
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
    const texts = names.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, "latin1"));
    expect(texts.length).toBeGreaterThan(2);
    expect(texts.filter((text) => text.includes("secret"))).toEqual([]);
    spool = await openSpool(folder, { ring: new KeyRing([OTHER_KEY, KEY]) });
    expect((await spool.read(1, 1))!.pushes[0]!.items[0]!.payload).toBe(secret);
    await spool.close();
  });

  test("records whose key is not configured are not thrown away: opening is refused with a sentence", async () => {
    const ring = new KeyRing([KEY]);
    const spool = await openSpool(folder, { ring });
    await spool.append(pushOf(["a"], ring, secret));
    await spool.close();
    for (const keys of [[], [OTHER_KEY]]) {
      await expect(openSpool(folder, { ring: new KeyRing(keys) })).rejects.toThrow("QUEEN_ENCRYPTION_PREVIOUS_KEYS");
    }
    const again = await openSpool(folder, { ring });
    expect(await drain(again)).toEqual(["a"]);
    await again.close();
  });
});
