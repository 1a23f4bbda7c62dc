/**
 * Verbs that list queues, partitions, messages and consumer groups.
 *
 * @module
 */

import { groupGet, groupLagging, groupList } from "../engine/group-list.ts";
import {
  namespaceList,
  overview,
  partitionList,
  queueGet,
  queueList,
  queueStatus,
  statisticsRefresh,
  taskList,
} from "../engine/inventory.ts";
import { messageList, queueMessageList } from "../engine/message-list.ts";
import type { ListingOperations } from "../protocol/listings.ts";
import type { Verbs } from "./verb.ts";

/** See the module. */
export const listingVerbs: Verbs<keyof ListingOperations> = {
  queueList: ({ context, params }) => queueList(context, params),
  queueGet: ({ context, params }) => queueGet(context, params),
  queueStatus: ({ context, params }) => queueStatus(context, params),
  namespaceList: ({ context, params }) => namespaceList(context, params),
  taskList: ({ context, params }) => taskList(context, params),
  overview: ({ context }) => overview(context),
  partitionList: ({ context, params }) => partitionList(context, params),
  statisticsRefresh: ({ context }) => statisticsRefresh(context),
  messageList: ({ context, params }) => messageList(context, params),
  queueMessageList: ({ context, params }) => queueMessageList(context, params),
  groupList: ({ context, params }) => groupList(context, params),
  groupGet: ({ context, params }) => groupGet(context, params),
  groupLagging: ({ context, params }) => groupLagging(context, params),
};
