/**
 * Verbs on consumer groups.
 *
 * @module
 */

import { groupDelete, groupQueueDelete, groupSeek, groupSubscriptionUpdate, partitionSeek } from "../engine/groups.ts";
import { seekPreview } from "../engine/seek-preview.ts";
import type { GroupOperations } from "../protocol/groups.ts";
import { bodyOf, type Verbs } from "./verb.ts";

/** See the module. */
export const groupVerbs: Verbs<keyof GroupOperations> = {
  groupDelete: ({ context, params }) => groupDelete(context, params),
  groupQueueDelete: ({ context, params }) => groupQueueDelete(context, params),
  groupSubscriptionUpdate: ({ context, params, request }) => groupSubscriptionUpdate(context, params, bodyOf(request)),
  groupSeek: ({ context, params, request }) => groupSeek(context, params, bodyOf(request)),
  seekPreview: ({ context, params }) => seekPreview(context, params),
  partitionSeek: ({ context, params }) => partitionSeek(context, params),
};
