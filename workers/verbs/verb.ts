/**
 * What a verb is: an operation carried out for one request, its answer still a value. The verbs of an area are a table in a
 * file of this folder; the entry of the worker puts them together, so that an operation without a verb does not compile.
 *
 * @module
 */

import { type DecodedBody, decodeBody, NO_BODY } from "../../schema/wire/body.ts";
import type { Answer, EngineContext } from "../engine/context.ts";
import type { Engine } from "../engine/engine.ts";
import type { OperationName, OperationParams, WorkerRequest } from "../protocol.ts";

/** A request on its way to a verb. */
export interface Call<Name extends OperationName> {
  engine: Engine;
  context: EngineContext;
  params: OperationParams[Name];
  request: WorkerRequest;
}

/** Carries one operation out. Throws {@link QueenError} for what the client is to blame for. */
export type Verb<Name extends OperationName> = (call: Call<Name>) => Promise<Answer>;

/** One verb for each of some operations. */
export type Verbs<Names extends OperationName> = { readonly [Name in Names]: Verb<Name> };

/**
 * The body of a request, decoded.
 *
 * @throws QueenError `BODY_EMPTY` without one, or what the decoder of its format throws.
 */
export function bodyOf(request: WorkerRequest): DecodedBody {
  return decodeBody(request.body, request.bodyFormat);
}

/** The body where every field of it is optional: an absent one counts as an object without fields. */
export function optionalBodyOf(request: WorkerRequest): DecodedBody {
  const empty = request.body === null || (typeof request.body === "string" && request.body === "");
  return empty ? NO_BODY : bodyOf(request);
}
