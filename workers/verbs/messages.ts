/**
 * Verbs on single messages, dead letters and traces.
 *
 * @module
 */

import { deadLetterErrors, deadLetterList } from "../engine/dead-letters.ts";
import { messageDelete, messageGet, messageMoveToDeadLetter, messageRetry } from "../engine/messages.ts";
import { traceCreate, traceList, traceListByName, traceNameList } from "../engine/traces.ts";
import type { MessageOperations } from "../protocol/messages.ts";
import { bodyOf, type Verbs } from "./verb.ts";

/** See the module. */
export const messageVerbs: Verbs<keyof MessageOperations> = {
  deadLetterList: ({ context, params }) => deadLetterList(context, params),
  deadLetterErrors: ({ context, params }) => deadLetterErrors(context, params),
  messageGet: ({ context, params }) => messageGet(context, params),
  messageDelete: ({ context, params }) => messageDelete(context, params),
  messageRetry: ({ context, params }) => messageRetry(context, params),
  messageMoveToDeadLetter: ({ context, params }) => messageMoveToDeadLetter(context, params),
  traceCreate: ({ context, params, request }) => traceCreate(context, params, bodyOf(request)),
  traceList: ({ context, params }) => traceList(context, params),
  traceListByName: ({ context, params }) => traceListByName(context, params),
  traceNameList: ({ context, params }) => traceNameList(context, params),
};
