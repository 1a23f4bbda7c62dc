/**
 * The API described: for programs at `/openapi.json`, for people at `/docs`.
 *
 * @module
 */
import { buildDocument } from "../../../schema/wire/api/document.ts";
import { codedBody } from "../../../schema/wire/content-coding.ts";
import { DOCUMENTATION_FILES, DOCUMENTATION_POLICY, documentationPage } from "../documentation.ts";
import type { Exchange } from "../exchange.ts";
import { errorResponse } from "../respond.ts";
import type { Routes } from "../router.ts";

/** `Cache-Control` of a file whose address changes with its content. */
export const FOR_EVER = "public, max-age=31536000, immutable";
/** And of everything else. */
export const ASK_AGAIN = "no-cache";

/** Registers the routes that describe the API; they are open to everybody, as what they say is. */
export function documentationRoutes(routes: Routes): void {
  let document: string | null = null;
  routes.get("/openapi.json", "public", (exchange) => {
    document ??= JSON.stringify(buildDocument(exchange.services.version));
    return textResponse(exchange, document, {
      "content-type": "application/json",
      "cache-control": ASK_AGAIN,
      "access-control-allow-origin": "*",
    });
  });
  routes.get("/docs", "public", (exchange) =>
    textResponse(exchange, documentationPage(exchange.services.version), {
      "content-type": "text/html; charset=utf-8",
      "cache-control": ASK_AGAIN,
      "content-security-policy": DOCUMENTATION_POLICY,
      "referrer-policy": "no-referrer",
    }),
  );
  routes.get("/docs/:file", "public", async (exchange) => {
    const name = exchange.name("file");
    const file = Object.hasOwn(DOCUMENTATION_FILES, name) ? DOCUMENTATION_FILES[name] : undefined;
    if (file === undefined) return errorResponse(404, `No such file: ${name}`, exchange.answerFormat);
    return textResponse(exchange, await file.text(), { "content-type": file.type, "cache-control": FOR_EVER });
  });
}

/** Answers a text, compressed for clients far away. */
export async function textResponse(
  exchange: Exchange,
  text: string,
  headers: Record<string, string>,
): Promise<Response> {
  const all: Record<string, string> = { ...headers, "x-content-type-options": "nosniff", vary: "Accept-Encoding" };
  const coding = exchange.coding;
  const coded = coding === null ? null : await codedBody(text, coding);
  if (coded === null) return new Response(text, { headers: all });
  return new Response(coded, { headers: { ...all, "content-encoding": coding! } });
}
