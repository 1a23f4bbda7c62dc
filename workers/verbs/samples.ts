/**
 * Verbs on measurements.
 *
 * @module
 */

import { readNotify } from "../../schema/wire/notify-request.ts";
import {
  messageCounts,
  metricsRead,
  queueLag,
  queueOperations,
  queueParked,
  retentionSeries,
  systemMetrics,
  workerMetrics,
} from "../engine/analytics.ts";
import { queueNotify } from "../engine/notify.ts";
import { postgresStatistics } from "../engine/postgres-statistics.ts";
import { recordSamples } from "../engine/samples.ts";
import { statusRead } from "../engine/status.ts";
import type { SampleOperations } from "../protocol/samples.ts";
import { optionalBodyOf, type Verbs } from "./verb.ts";

/** See the module. */
export const sampleVerbs: Verbs<keyof SampleOperations> = {
  sampleRecord: ({ context, params }) => recordSamples(context, params),
  metricsRead: ({ context, params }) => metricsRead(context, params),
  statusRead: ({ context, params }) => statusRead(context, params),
  messageCounts: ({ context, params }) => messageCounts(context, params),
  systemMetrics: ({ context, params }) => systemMetrics(context, params),
  workerMetrics: ({ context, params }) => workerMetrics(context, params),
  queueLag: ({ context, params }) => queueLag(context, params),
  queueOperations: ({ context, params }) => queueOperations(context, params),
  queueParked: ({ context, params }) => queueParked(context, params),
  retentionSeries: ({ context, params }) => retentionSeries(context, params),
  postgresStatistics: ({ context }) => postgresStatistics(context),
  queueNotify: ({ context, request }) => queueNotify(context, readNotify(optionalBodyOf(request))),
};
