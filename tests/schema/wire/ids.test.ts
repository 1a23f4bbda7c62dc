import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  compareKeys,
  KeyKind,
  messageId,
  newIdBase,
  newLeaseId,
  newTransactionId,
  parseLeaseId,
  parsePartitionUuid,
  partitionUuid,
  readUuid,
  writeTransactionKey,
  writeUuid,
} from "../../../schema/wire/ids.ts";
import { UUID, UUID_V7 } from "../../support/names.ts";

const INT32_MAX = 0x7fffffff;
const PAIRS = [
  [1, 1],
  [7, 2 ** 40],
  [INT32_MAX, 2 ** 48 - 1],
] as const;

describe("uuids", () => {
  test("are read back as they were written, at any place", () => {
    for (let count = 0; count < 200; count += 1) {
      const text = crypto.randomUUID();
      const bytes = Buffer.alloc(20);
      expect(writeUuid(text, bytes, 3)).toBe(true);
      expect(readUuid(bytes, 3)).toBe(text);
      expect(bytes.subarray(3, 19).toString("hex")).toBe(text.replaceAll("-", ""));
    }
  });

  test.each([
    "",
    "01900000-0000-7000-8000-00000000000",
    "01900000-0000-7000-8000-0000000000000",
    "01900000-0000-7000-8000-00000000000A",
    "01900000-0000-7000-8000-00000000000g",
    "01900000x0000-7000-8000-000000000000",
    "0190000--0000-7000-8000-000000000000",
    "01900000-0000-7000-8000-00000000000é",
    "01900000-0000-7000-8000-00000000000\u{1f600}".slice(0, 36),
  ])("refuse %j", (text) => {
    expect(writeUuid(text, Buffer.alloc(16), 0)).toBe(false);
  });
});

describe("partition and lease ids", () => {
  test.each(PAIRS)("name queue %d and partition %d", (queueId, partitionId) => {
    const text = partitionUuid(queueId, partitionId);
    expect(text).toMatch(UUID);
    expect(parsePartitionUuid(text)).toEqual({ queueId, partitionId });
    expect(parsePartitionUuid(text.toUpperCase())).toEqual({ queueId, partitionId });
  });

  test.each([
    partitionUuid(0, 1),
    partitionUuid(1, 0),
    partitionUuid(0x80000000, 1),
    crypto.randomUUID(),
    "x",
    `${partitionUuid(1, 1)} `,
  ])("%j is no partition id", (text) => {
    expect(parsePartitionUuid(text)).toBeNull();
  });

  test.each([
    [1, 1, 0],
    [INT32_MAX, INT32_MAX, 63],
    [3, 0x01020304, 64],
  ])("a lease id names queue %d and group %d", (queueId, groupId, worker) => {
    const text = newLeaseId(queueId, groupId, worker);
    expect(text).toMatch(UUID);
    expect(parseLeaseId(text)).toEqual({ queueId, groupId });
    expect(newLeaseId(queueId, groupId, worker)).not.toBe(text);
  });

  test("other uuids are no lease ids", () => {
    expect(parseLeaseId("01900000-0000-7000-8000-000000000000")).toBeNull();
    expect(parseLeaseId("")).toBeNull();
  });
});

describe("message and transaction ids", () => {
  test("ids of one worker increase strictly, also within a millisecond and when the clock steps back", () => {
    const now = Date.now() + 1_000_000;
    let last = "";
    for (let count = 0; count < 10_000; count += 1) {
      const base = readUuid(newIdBase(now - (count > 5_000 ? 60_000 : 0)), 0);
      expect(base).toMatch(UUID_V7);
      expect(base > last).toBe(true);
      last = base;
    }
  });

  test("messages of a segment count up from its first id", () => {
    const base = readUuid(newIdBase(Date.now()), 0);
    expect(messageId(base, 0)).toBe(base);
    const ids = [0, 1, 255, 16_383, 2 ** 20 - 1].map((index) => messageId(base, index));
    expect(ids.toSorted()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(UUID_V7);
  });

  test("drawn transaction ids are time-ordered and increase strictly", () => {
    let last = "";
    for (let count = 0; count < 10_000; count += 1) {
      const id = newTransactionId(1_700_000_000_000 + (count % 3));
      expect(id > last).toBe(true);
      last = id;
    }
    expect(writeTransactionKey(last, Buffer.alloc(16), 0)).toBe(KeyKind.timeOrdered);
  });

  test("a uuid is its own key, other text is hashed", () => {
    const key = Buffer.alloc(16);
    for (const [text, kind] of [
      ["01900000-0000-7000-8000-0000000000ab", KeyKind.timeOrdered],
      ["01900000-0000-7000-c000-0000000000ab", KeyKind.other],
      ["01900000-0000-4000-8000-0000000000ab", KeyKind.other],
    ] as const) {
      expect(writeTransactionKey(text, key, 0)).toBe(kind);
      expect(readUuid(key, 0)).toBe(text);
    }
    for (const text of ["x", "", "é".repeat(255), "01900000-0000-7000-8000-0000000000AB"]) {
      expect(writeTransactionKey(text, key, 0)).toBe(KeyKind.other);
      expect(key.toString("hex")).toBe(createHash("sha256").update(text).digest("hex").slice(0, 32));
    }
  });

  test("keys compare as their texts do", () => {
    const [a, b] = [Buffer.alloc(16), Buffer.alloc(16)];
    for (let count = 0; count < 100; count += 1) {
      const [x, y] = [crypto.randomUUID(), crypto.randomUUID()];
      writeUuid(x, a, 0);
      writeUuid(y, b, 0);
      expect(Math.sign(compareKeys(a, 0, b, 0))).toBe(x < y ? -1 : 1);
      expect(compareKeys(a, 0, a, 0)).toBe(0);
    }
  });
});
