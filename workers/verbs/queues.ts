/**
 * Verbs on queues.
 *
 * @module
 */

import { configure, queueOptions } from "../engine/configure.ts";
import { queueClear, queueDelete } from "../engine/queue-admin.ts";
import type { QueueOperations } from "../protocol/queues.ts";
import { bodyOf, type Verbs } from "./verb.ts";

/** See the module. */
export const queueVerbs: Verbs<keyof QueueOperations> = {
  configure: ({ context, params, request }) => configure(context, params, bodyOf(request)),
  queueOptions: ({ context, params }) => queueOptions(context, params),
  queueDelete: ({ context, params }) => queueDelete(context, params),
  queueClear: ({ context, params }) => queueClear(context, params),
};
