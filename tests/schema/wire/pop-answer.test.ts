import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { decodeCbor, encodeCbor } from "../../../schema/wire/cbor.ts";
import { type PopAnswer, type PopPiece, renderPopCbor, renderPopJson } from "../../../schema/wire/pop-answer.ts";
import { cborBody, pushJsonMessage } from "../../../schema/wire/segment.ts";

const NAMES = ["plain", "$&", "$$", "$'$`$1$<a>", 'quote"back\\slash', "é😀\u2028", "a,b}]", "\u0001\n"];

function jsonPiece(payloads: string[], more: Partial<PopPiece> = {}): PopPiece {
  const parts: string[] = [];
  for (const [n, payload] of payloads.entries()) {
    pushJsonMessage(parts, { id: `id${n}`, transactionId: `"t${n}"`, traceId: "null", payload, producerSub: "null" });
  }
  const body = Buffer.from(parts.join(""));
  const count = { messageCount: payloads.length, from: 0, to: payloads.length };
  return { body, cbor: false, ...count, createdAt: "now", partition: "p", partitionId: "uuid", ...more };
}

function cborPiece(payloads: unknown[], more: Partial<PopPiece> = {}): PopPiece {
  const fields = (payload: unknown, n: number) =>
    Object.entries({ id: `id${n}`, transactionId: `t${n}`, traceId: null, data: payload, producerSub: null });
  const body = cborBody(
    payloads.map((payload, n) =>
      Buffer.concat(fields(payload, n).flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)])),
    ),
  );
  const count = { messageCount: payloads.length, from: 0, to: payloads.length };
  return { body, cbor: true, ...count, createdAt: "now", partition: "p", partitionId: "uuid", ...more };
}

function answerOf(pieces: PopPiece[], more: Partial<PopAnswer> = {}): PopAnswer {
  return { queue: "q", group: "g", leaseId: "l", partitionsClaimed: 1, pieces, ...more };
}

function json(answer: PopAnswer): Record<string, unknown> & { messages: Record<string, unknown>[] } {
  const rendered = renderPopJson(answer);
  return JSON.parse(typeof rendered === "string" ? rendered : new TextDecoder().decode(rendered));
}

function cbor(answer: PopAnswer): ReturnType<typeof json> {
  return decodeCbor(new Uint8Array(renderPopCbor(answer))) as ReturnType<typeof json>;
}

describe("the answer of a pop", () => {
  test.each(NAMES)("carries the names %j of queue, group and partition", (name) => {
    const answer = answerOf([jsonPiece(["1", "2"], { partition: name })], { queue: name, group: name });
    for (const value of [json(answer), cbor(answer)]) {
      expect(value).toMatchObject({ queue: name, partition: name, consumerGroup: name });
      expect(value.messages).toMatchObject([
        { data: 1, partition: name, consumerGroup: name },
        { data: 2, partition: name, consumerGroup: name },
      ]);
    }
  });

  test.each(["$&", '{"a":"$$"}', '"é\\u0001😀"', "[1,{}]", "null"])("carries the payload %s as it stands", (text) => {
    const payload = text === "$&" ? '"$&"' : text;
    const answer = answerOf([jsonPiece([payload, "0", payload])]);
    const rendered = renderPopJson(answer) as string;
    expect(rendered.split(`"data":${payload},"producerSub"`)).toHaveLength(3);
    expect(json(answer).messages[2]!.data).toEqual(JSON.parse(payload));
    expect(cbor(answer).messages[2]!.data).toEqual(JSON.parse(payload));
  });

  test("hands out a part of a segment, and several pieces in order", () => {
    const of = (from: number, to: number) => jsonPiece(["0", "1", "2", "3"], { from, to });
    const pieces = [of(1, 2), of(3, 4), of(0, 1), cborPiece([10, 11, 12], { from: 1, to: 3 })];
    const data = [1, 3, 0, 11, 12];
    expect(json(answerOf(pieces)).messages.map((message) => message.data)).toEqual(data);
    expect(cbor(answerOf(pieces)).messages.map((message) => message.data)).toEqual(data);
  });

  test("converts what came as CBOR: bytes to base64, and back they are bytes", () => {
    const answer = answerOf([cborPiece([new Uint8Array([1, 2, 255]), { big: 2n ** 60n }])]);
    expect(json(answer).messages[0]!.data).toBe("AQL/");
    expect(renderPopJson(answer)).toContain(`{"big":${2n ** 60n}}`);
    expect(new Uint8Array(cbor(answer).messages[0]!.data as Uint8Array)).toEqual(new Uint8Array([1, 2, 255]));
  });

  test("is a buffer of its own when it is long", () => {
    const long = JSON.stringify("ü".repeat(20_000));
    const rendered = renderPopJson(answerOf([jsonPiece([long])]));
    expect(rendered).toBeInstanceOf(ArrayBuffer);
    expect(json(answerOf([jsonPiece([long])])).messages[0]!.data).toBe("ü".repeat(20_000));
  });
});
