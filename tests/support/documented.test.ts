import { describe, expect, test } from "bun:test";
import { checkDocumented } from "./documented.ts";
import { toAnswer } from "./http.ts";

const answer = (status: number, value?: unknown, type = "application/json") =>
  toAnswer(
    status,
    new Headers({ "content-type": type }),
    value === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(value)),
  );

const RESULT = {
  index: 0,
  status: "duplicate",
  transaction_id: "t",
  message_id: "0198c2f0-0000-7000-8000-000000000000",
  queueName: "q",
};

describe("answers held against the document", () => {
  test.each([
    ["a good answer", "POST", "/api/v1/push", answer(201, [RESULT])],
    ["an error", "POST", "/api/v1/push", answer(400, { error: "items array is required" })],
    ["no body where none is documented", "GET", "/api/v1/pop/queue/q?wait=true", answer(204)],
    ["whatever an unknown route answers", "GET", "/nowhere", answer(200, { x: 1 })],
    ["the fixed path before the parameters", "GET", "/api/v1/traces/by-name/x", answer(400, { error: "x" })],
  ])("pass: %s", (_what, method, path, given) => {
    expect(() => checkDocumented(method, path, given)).not.toThrow();
  });

  test.each([
    [
      "a status that is not documented",
      "POST",
      "/api/v1/push",
      answer(200, []),
      "answered 200, which is not documented",
    ],
    ["a field too many", "POST", "/api/v1/push", answer(201, [{ ...RESULT, extra: 1 }]), "/0"],
    ["a field of the wrong type", "POST", "/api/v1/push", answer(201, [{ ...RESULT, index: "0" }]), "/0/index"],
    ["a missing field", "POST", "/api/v1/ack", answer(200, [{ index: 0 }]), "/0 must have required properties"],
    ["an error with more than its text", "POST", "/api/v1/push", answer(400, { error: "x", stack: "y" }), "stack"],
    ["a body where none is documented", "GET", "/api/v1/pop/queue/q", answer(204, {}), "none is documented"],
    ["another type", "POST", "/api/v1/push", answer(201, [], "text/html"), "as 'text/html'"],
    ["JSON of a route under /binary", "POST", "/api/v1/push/binary", answer(201, []), "as 'application/json'"],
  ])("fail: %s", (_what, method, path, given, text) => {
    expect(() => checkDocumented(method, path, given)).toThrow(text);
  });
});
