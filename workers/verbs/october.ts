/**
 * Verbs of the October 2025 dialect.
 *
 * @module
 */

import { readOctoberAck, readOctoberAckBatch, readOctoberConfigure } from "../../schema/wire/october/requests.ts";
import { octoberAck, octoberAckBatch } from "../engine/october/acknowledge.ts";
import {
  octoberDepths,
  octoberGroupCounts,
  octoberLabelCounts,
  octoberQueueCount,
  octoberQueueCounts,
  octoberThroughput,
} from "../engine/october/analytics.ts";
import { octoberConfigure } from "../engine/october/configure.ts";
import { octoberQueueLag } from "../engine/october/lag.ts";
import { octoberMessageList, octoberQueueGet } from "../engine/october/listing.ts";
import {
  octoberMessageDeadLetter,
  octoberMessageDelete,
  octoberMessageGet,
  octoberMessageRelated,
  octoberMessageRetry,
} from "../engine/october/messages.ts";
import { octoberQueueClear, octoberQueueDelete } from "../engine/october/queues.ts";
import type { OctoberOperations } from "../protocol/october.ts";
import { bodyOf, type Verbs } from "./verb.ts";

/** See the module. */
export const octoberVerbs: Verbs<keyof OctoberOperations> = {
  octoberConfigure: ({ context, request }) => octoberConfigure(context, readOctoberConfigure(bodyOf(request))),
  octoberAck: ({ context, request }) => octoberAck(context, readOctoberAck(bodyOf(request))),
  octoberAckBatch: ({ context, request }) => octoberAckBatch(context, readOctoberAckBatch(bodyOf(request))),
  octoberQueueDelete: ({ context, params }) => octoberQueueDelete(context, params),
  octoberQueueClear: ({ context, params }) => octoberQueueClear(context, params),
  octoberMessageGet: ({ context, params }) => octoberMessageGet(context, params),
  octoberMessageDelete: ({ context, params }) => octoberMessageDelete(context, params),
  octoberMessageRetry: ({ context, params }) => octoberMessageRetry(context, params),
  octoberMessageDeadLetter: ({ context, params }) => octoberMessageDeadLetter(context, params),
  octoberMessageRelated: ({ context, params }) => octoberMessageRelated(context, params),
  octoberMessageList: ({ context, params }) => octoberMessageList(context, params),
  octoberQueueGet: ({ context, params }) => octoberQueueGet(context, params),
  octoberQueueCounts: ({ context, params }) => octoberQueueCounts(context, params),
  octoberQueueCount: ({ context, params }) => octoberQueueCount(context, params),
  octoberLabelCounts: ({ context, params }) => octoberLabelCounts(context, params),
  octoberDepths: ({ context, params }) => octoberDepths(context, params),
  octoberGroupCounts: ({ context, params }) => octoberGroupCounts(context, params),
  octoberThroughput: ({ context, params }) => octoberThroughput(context, params),
  octoberQueueLag: ({ context, params }) => octoberQueueLag(context, params),
};
