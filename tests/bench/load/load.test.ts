/** The load generator itself: what it sends is well-formed and fresh, and what it reads without parsing is right. */

import { afterEach, describe, expect, test } from "bun:test";
import { AckRequest } from "./ack-request.ts";
import { Checker } from "./checker.ts";
import { HttpConnection } from "./connection.ts";
import { Histogram } from "./histogram.ts";
import { seededRandom } from "./payloads.ts";
import { AnswerLength, PopAnswer } from "./pop-answer.ts";
import { IdClock, PushRequest } from "./push-request.ts";

interface SentItem {
  queue: string;
  partition: string;
  transactionId: string;
  payload: { seq: string; producer: string };
}

function itemsOf(request: PushRequest): SentItem[] {
  const text = request.bytes.toString();
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  expect(text).toContain(`Content-Length: ${Buffer.byteLength(body)}\r\n`);
  return (JSON.parse(body) as { items: SentItem[] }).items;
}

describe("a push request", () => {
  const shape = { host: "h", queue: "q", partitions: ["p0", "p1"], perRequest: 5, producer: "a1", firstIndex: 0 };
  const build = () => new PushRequest({ ...shape, payloadBytes: 250, random: seededRandom(1) });

  test("carries version 7 ids, ascending and never used before", () => {
    const request = build();
    const clock = new IdClock();
    const ids: string[] = [];
    for (let turn = 0; turn < 3000; turn++) {
      request.stamp(clock);
      ids.push(...itemsOf(request).map((item) => item.transactionId));
    }
    expect(new Set(ids).size).toBe(15_000);
    expect(ids).toEqual([...ids].sort());
    for (const id of ids.slice(0, 50))
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("fills partitions in turn, with payloads of one length numbered in order", () => {
    const request = build();
    request.stamp(new IdClock());
    request.number();
    request.number();
    const items = itemsOf(request);
    expect(items.map((item) => item.partition)).toEqual(["p0", "p1", "p0", "p1", "p0"]);
    expect(items.map((item) => Number(item.payload.seq))).toEqual([5, 6, 7, 8, 9]);
    for (const item of items) expect(JSON.stringify(item.payload)).toHaveLength(250);
  });
});

function popBody(
  count: number,
  dataLength: (index: number) => number,
  partitionFirst: boolean,
): { body: Buffer; messages: Record<string, unknown>[] } {
  const leaseId = crypto.randomUUID();
  const messages = Array.from({ length: count }, (_, index) => {
    const [id, partitionId] = [{ transactionId: crypto.randomUUID() }, { partitionId: crypto.randomUUID() }];
    const data = { data: "x".repeat(dataLength(index)) };
    return partitionFirst ? { ...partitionId, ...data, ...id, leaseId } : { ...id, ...data, ...partitionId, leaseId };
  });
  return {
    body: Buffer.from(JSON.stringify({ success: true, leaseId, partitionId: crypto.randomUUID(), messages })),
    messages,
  };
}

describe("a pop answer and its acknowledgement", () => {
  for (const partitionFirst of [true, false]) {
    for (const [what, dataLength] of [
      ["equal", () => 40],
      ["different", (index: number) => (index * 7) % 13],
    ] as const) {
      test(`ids are copied from messages of ${what} length, partition id ${partitionFirst ? "before" : "after"} the data`, () => {
        const answer = new PopAnswer();
        const ack = new AckRequest("h", "g");
        for (const count of [1, 3, 200, 2, 1500]) {
          const { body, messages } = popBody(count, dataLength, partitionFirst);
          expect(answer.read(body)).toBe(count);
          const text = ack.fill(body, answer, 0, count).toString();
          const sent = JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) as {
            consumerGroup: string;
            acknowledgments: unknown[];
          };
          const wanted = messages.map(({ transactionId, partitionId, leaseId }) => ({
            transactionId,
            partitionId,
            status: "completed",
            leaseId,
          }));
          expect(sent).toEqual({ consumerGroup: "g", acknowledgments: wanted });
        }
      });
    }
  }

  test("long answers are counted by their length, and not when that does not come out even", () => {
    const answer = new PopAnswer();
    const lengths = new AnswerLength();
    const learned = popBody(10, () => 40, false).body;
    lengths.learn(learned.length, answer.read(learned), answer.stride);
    const { body } = popBody(777, () => 40, false);
    expect(lengths.count(body.length)).toBe(777);
    expect(lengths.count(body.length + 2)).toBe(777);
    expect(() => lengths.count(body.length + 9)).toThrow("not a whole number");
  });
});

describe("a connection", () => {
  const listeners: { stop: (force: boolean) => void }[] = [];
  afterEach(() => {
    for (const listener of listeners.splice(0)) listener.stop(true);
  });

  /** Answers any data with these bytes, written in pieces of a given length. */
  async function connect(answer: string, pieceBytes: number): Promise<HttpConnection> {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: async (socket) => {
          for (let at = 0; at < answer.length; at += pieceBytes) {
            socket.write(answer.slice(at, at + pieceBytes));
            socket.flush();
            await new Promise((resolve) => setImmediate(resolve));
          }
        },
      },
    });
    listeners.push(listener);
    return HttpConnection.open("127.0.0.1", listener.port);
  }

  const ask = (connection: HttpConnection, keepBytesMax = 1000) =>
    new Promise<{ status: number; length: number; body: string | null }>((resolve) => {
      connection.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"), keepBytesMax, (status, length, body) =>
        resolve({ status, length, body: body === null ? null : body.toString() }),
      );
    });

  const plain = "HTTP/1.1 201 Created\r\ncontent-length: 11\r\n\r\nhello world";
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\n\r\n";
  for (const pieceBytes of [1, 7, 1000]) {
    test(`reads bodies with a length and in chunks, arriving ${pieceBytes} bytes at a time`, async () => {
      const one = await connect(plain, pieceBytes);
      for (let turn = 0; turn < 3; turn++)
        expect(await ask(one)).toEqual({ status: 201, length: 11, body: "hello world" });
      const other = await connect(chunked, pieceBytes);
      for (let turn = 0; turn < 3; turn++)
        expect(await ask(other)).toEqual({ status: 200, length: 11, body: "hello world" });
      expect(await ask(other, 10)).toEqual({ status: 200, length: 11, body: null });
      one.close();
      other.close();
    });
  }

  test("an answer without a body, and a connection that breaks", async () => {
    const connection = await connect("HTTP/1.1 204 No Content\r\n\r\n", 1000);
    expect(await ask(connection)).toEqual({ status: 204, length: 0, body: "" });
    const answered = new Promise<number>((resolve) => connection.send(Buffer.from("x"), 0, resolve));
    expect(await answered).toBe(204);
    listeners[0]!.stop(true);
    expect((await ask(connection)).status).toBe(0);
  });
});

describe("the checks", () => {
  const body = (...numbers: number[]) =>
    Buffer.from(
      JSON.stringify({
        messages: numbers.map((seq) => ({ partition: "p", data: { seq: String(seq), producer: "a" } })),
      }),
    );

  test("name duplicates and disorder across answers", () => {
    const checker = new Checker();
    checker.popped("g", body(0, 1), true);
    checker.popped("g", body(3), true);
    checker.popped("g", body(2, 3), true);
    expect(checker.figures().violations).toEqual(["g got 2 after 3 of a in p", "g got message 3 of a twice"]);
    expect(checker.figures().popped).toEqual({ g: { a: 4 } });
  });

  test("name refused pushes and acknowledgements", () => {
    const checker = new Checker();
    checker.pushed("a", 2, Buffer.from('[{"status":"queued"},{"status":"duplicate"}]'));
    checker.acknowledged(1, Buffer.from('[{"success":false,"error":"Message not found"}]'));
    expect(checker.figures().violations).toEqual([
      "a push was answered duplicate ",
      "an acknowledgement was refused: Message not found",
    ]);
  });
});

test("a histogram gives quantiles within two percent", () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1000; ms++) histogram.record(ms);
  expect(Math.abs(histogram.quantileMs(0.5) - 500)).toBeLessThan(10);
  expect(Math.abs(histogram.quantileMs(0.99) - 990)).toBeLessThan(20);
  expect(histogram.maxMs).toBe(1000);
  histogram.reset();
  expect(histogram.quantileMs(0.5)).toBe(0);
});
