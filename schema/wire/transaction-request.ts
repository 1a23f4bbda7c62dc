/**
 * The request of a transaction (wire contract, section 9).
 *
 * @module
 */

import { type AckItem, readAck } from "./ack-request.ts";
import type { DecodedBody } from "./body.ts";
import { fieldError, QueenError } from "./errors.ts";
import { isRecord } from "./fields.ts";
import { eachElement, eachMember, skipValue } from "./json.ts";
import type { PushItem } from "./push-item.ts";
import { readItems, readPayloadText, readSingleItem, topMemberAt } from "./push-request.ts";

/** One operation, after lists of pushed items were taken apart. `unknown` fails the transaction with its error. */
export type TransactionOperation =
  | { type: "push"; item: PushItem }
  | { type: "ack"; ack: AckItem }
  | { type: "unknown"; error: string };

/** A payload left out in a transaction counts as an empty object. */
const ABSENT_PAYLOAD = "{}";

/** Where each element of the operations array starts, and its `items` if it has any. */
function places(text: string): { start: number; items: number }[] {
  const found: { start: number; items: number }[] = [];
  eachElement(text, topMemberAt(text, "operations"), (_, start) => {
    let items = -1;
    const isObject = text.charCodeAt(start) === 123;
    const end = isObject
      ? eachMember(text, start, (key, at) => {
          if (key === "items") items = at;
          return skipValue(text, at);
        })
      : skipValue(text, start);
    found.push({ start, items });
    return end;
  });
  return found;
}

/**
 * Reads the body of a transaction.
 *
 * @returns The operations in order, each pushed item one of its own. Not empty, unless every push lists no items.
 * @throws {@link QueenError} `OPERATIONS_REQUIRED`, `OPERATIONS_EMPTY`, or `FIELD_INVALID` naming the field.
 */
export function readTransactionRequest(body: DecodedBody): TransactionOperation[] {
  const { value, text } = body;
  if (!isRecord(value) || !Array.isArray(value.operations)) throw new QueenError("OPERATIONS_REQUIRED");
  if (value.operations.length === 0) throw new QueenError("OPERATIONS_EMPTY");
  const at = text === null ? null : places(text);
  return value.operations.flatMap((operation: unknown, index: number): TransactionOperation[] => {
    if (!isRecord(operation)) throw fieldError(`operations[${index}] must be an object`);
    if (operation.type === "ack") return [{ type: "ack", ack: readAck(operation) }];
    if (operation.type !== "push") {
      const { type = null } = operation;
      // An object may well have a `toString` that is no function.
      const shown = typeof type === "object" && type !== null ? "object" : String(type).slice(0, 100);
      return [{ type: "unknown", error: `Unknown operation type: ${shown}` }];
    }
    const items =
      operation.items === undefined
        ? [readSingleItem(operation, text === null ? null : readPayloadText(text, at![index]!.start), ABSENT_PAYLOAD)]
        : readList(operation.items, index, text, at?.[index]?.items ?? 0);
    return items.map((item) => ({ type: "push", item }));
  });
}

function readList(items: unknown, index: number, text: string | null, at: number): PushItem[] {
  if (!Array.isArray(items)) throw fieldError(`operations[${index}].items must be an array`);
  return readItems(items, text, at, ABSENT_PAYLOAD);
}
