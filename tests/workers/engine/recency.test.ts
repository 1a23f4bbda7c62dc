import { expect, test } from "bun:test";
import { type Place, placeOf, Recency } from "../../../workers/engine/recency.ts";

/** Empties a list. @returns What was in it, oldest first. */
function emptied(list: Recency<string>, places: readonly Place<string>[]): string[] {
  const order: string[] = [];
  for (let oldest = list.oldest; oldest !== null; oldest = list.oldest) {
    order.push(oldest);
    list.remove(places.find(({ value }) => value === oldest)!);
  }
  return order;
}

test("a list keeps the order of last use", () => {
  const list = new Recency<string>();
  const places = ["a", "b", "c", "d"].map(placeOf);
  const [a, b, c, d] = places as [Place<string>, Place<string>, Place<string>, Place<string>];
  expect(list.oldest).toBeNull();
  for (const place of places) list.touch(place);
  list.touch(d);
  list.touch(b);
  list.touch(a);
  expect(emptied(list, places)).toEqual(["c", "d", "b", "a"]);
  list.touch(c);
  list.touch(a);
  list.remove(c);
  list.remove(c);
  list.remove(d);
  expect([a.listed, c.listed]).toEqual([true, false]);
  expect(emptied(list, places)).toEqual(["a"]);
});
