/**
 * Verbs of the October 2025 dialect.
 *
 * @module
 */

import { readOctoberAck, readOctoberAckBatch, readOctoberConfigure } from "../../schema/wire/october/requests.ts";
import { octoberAck, octoberAckBatch } from "../engine/october/acknowledge.ts";
import { octoberConfigure } from "../engine/october/configure.ts";
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
};
