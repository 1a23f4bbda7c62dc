import { describe, expect, test } from "bun:test";
import { readUuid } from "../../../schema/wire/ids.ts";
import { packBody, pushJsonMessage } from "../../../schema/wire/segment.ts";
import {
  answerMessages,
  countMessages,
  decodeSegmentAnswer,
  encodeSegmentAnswer,
  type SegmentAnswer,
} from "../../../schema/wire/segment-answer.ts";

/** A compressed body of numbered messages. */
function bodyOf(from: number, count: number): Buffer {
  const parts: string[] = [];
  for (let n = from; n < from + count; n++) {
    pushJsonMessage(parts, {
      id: `id-${n}`,
      transactionId: `"t-${n}"`,
      traceId: "null",
      payload: `${n}`,
      producerSub: "null",
    });
  }
  return packBody(Buffer.from(parts.join("")), "json", null).bytes;
}

const idBase = readUuid(new Uint8Array(16).fill(7), 0);
const segment = (firstOffset: number, messageCount: number) => ({
  firstOffset,
  messageCount,
  createdAt: "2026-05-16T10:00:00.123456Z",
  idBase,
  format: 2,
  body: bodyOf(firstOffset, messageCount),
});
const answer: SegmentAnswer = {
  queue: "q".repeat(255),
  group: "日".repeat(255),
  leaseId: "",
  partitions: [
    {
      partitionId: "00000001-0000-8000-8000-000000000001",
      partition: "p",
      firstOffset: 5_000_000_005,
      endOffset: 5_000_000_019,
      skip: [5_000_000_006, 5_000_000_008, 5_000_000_012, 5_000_000_013],
      segments: [segment(5_000_000_000, 10), segment(5_000_000_010, 10)],
    },
    { partitionId: "", partition: "", firstOffset: 0, endOffset: 10, skip: [0, 10], segments: [segment(0, 10)] },
  ],
};

describe("an answer of segments", () => {
  test("comes back as it was encoded", () => {
    const decoded = decodeSegmentAnswer(new Uint8Array(encodeSegmentAnswer(answer)));
    expect(decoded).toEqual(answer);
    expect(countMessages(decoded)).toBe(11);
    expect([...answerMessages(decoded)].map((message) => Number(message.data) - 5_000_000_000)).toEqual([
      5, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18,
    ]);
  });

  test("is read out of the middle of other memory", () => {
    const bytes = new Uint8Array(encodeSegmentAnswer(answer));
    const larger = new Uint8Array(bytes.length + 13).fill(255);
    larger.set(bytes, 6);
    expect(decodeSegmentAnswer(larger.subarray(6, 6 + bytes.length))).toEqual(answer);
  });

  test("is refused when it is cut anywhere, when something follows, and when it is something else", () => {
    const bytes = new Uint8Array(encodeSegmentAnswer({ ...answer, partitions: [answer.partitions[1]!] }));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSegmentAnswer(bytes.subarray(0, length))).toThrow(/cut short|no answer/);
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(() => decodeSegmentAnswer(longer)).toThrow("follows");
    expect(() => decodeSegmentAnswer(new TextEncoder().encode('{"success":true}'))).toThrow("no answer");
    const newer = bytes.slice();
    newer[4] = 2;
    expect(() => decodeSegmentAnswer(newer)).toThrow("Version 2");
    const [partition] = answer.partitions;
    const strange = { ...answer, partitions: [{ ...partition!, segments: [{ ...segment(0, 1), format: 6 }] }] };
    expect(() => decodeSegmentAnswer(new Uint8Array(encodeSegmentAnswer(strange)))).toThrow("Format 6");
  });
});
