import { describe, expect, test } from "bun:test";
import type { Answer } from "../../support/http.ts";
import { useSharedServer } from "../../support/shared.ts";
import { BAD_VALUES, badBodies, withField } from "./cases.ts";
import { OCTOBER_ROUTES } from "./october-routes.ts";
import { type Prepared, ROUTES, type Route } from "./routes.ts";

const api = useSharedServer();

/** Sends a bad request and holds the refusal against the rules: 4xx, an error text, no effect. */
async function refused(made: Prepared, raw: string | Uint8Array | undefined, type: string): Promise<Answer> {
  const answer = await api.http.postRaw(made.path, raw, { "content-type": type });
  expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
  expect(answer.status, answer.text).toBeLessThan(500);
  expect(answer.json.error).toBeString();
  expect(answer.json.error.length).toBeGreaterThan(0);
  expect(answer.json.error.length).toBeLessThan(500);
  await made.unchanged();
  return answer;
}

/** Bodies that say "nothing" are good where every field is optional; a list of names of {@link badBodies}. */
const MEANS_NOTHING = new Set(["no body", "an empty body", "spaces only", "null", "CBOR of null"]);

describe.each([...ROUTES, ...OCTOBER_ROUTES].map((route) => [route.name, route] as const))(
  "bad input to %s",
  (_name, route: Route) => {
    test("the good request that the others are made from is accepted", async () => {
      const made = await route.prepare(api);
      expect((await api.http.post(made.path, made.body)).status).toBeLessThan(300);
    });

    const bodies = badBodies({ sample: ["x"] }).map(({ what }) => what);
    test.each(bodies.filter((what) => !(route.bodyOptional && MEANS_NOTHING.has(what))))("%s", async (what) => {
      const made = await route.prepare(api);
      const bad = badBodies(made.body).find((body) => body.what === what)!;
      await refused(made, bad.raw, bad.type);
    });

    const fields = route.fields.flatMap(([path, kind, names]) =>
      BAD_VALUES[kind].map(([what, json]) => [path, what, json, names] as const),
    );
    test.each(fields)("%s: %s", async (path, _what, json, names) => {
      const made = await route.prepare(api);
      const answer = await refused(made, withField(made.body, path, json), "application/json");
      expect(answer.json.error).toMatch(json !== null && json.length > 100_000 ? /./ : names);
    });

    test.each(route.texts.map(([body, error]) => [error, body] as const))("is told: %s (%j)", async (error, body) => {
      const made = await route.prepare(api);
      const answer = await refused(made, body === null ? undefined : JSON.stringify(body), "application/json");
      expect([answer.status, answer.json]).toEqual([400, { error }]);
    });

    test("unparseable JSON is told as such", async () => {
      const made = await route.prepare(api);
      const answer = await refused(made, '{"a":', "application/json");
      expect([answer.status, answer.json.error.slice(0, 14)]).toEqual([400, "Invalid JSON: "]);
    });
  },
);
