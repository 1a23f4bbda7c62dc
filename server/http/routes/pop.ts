/**
 * Consuming: pop from a queue, from one partition, or from all queues of a namespace and/or task.
 *
 * @module
 */
import { POP_BATCH_MAX, POP_PARTITIONS_MAX, QUEUE_MODE_GROUP } from "../../../schema/wire/limits.ts";
import type { PopParams } from "../../pool/pool.ts";
import type { Exchange } from "../exchange.ts";
import type { Query } from "../parameters.ts";
import { errorResponse } from "../respond.ts";
import type { Routes } from "../router.ts";

/** Longest long poll, in milliseconds; more is clamped. */
export const POP_TIMEOUT_MS_MAX = 3_600_000;
/** Registers the routes that lease messages. */
export function popRoutes(routes: Routes): void {
  routes.hot("GET", "/api/v1/pop/queue/:queue", "read-write", (exchange) =>
    exchange.forwardPop(popParams(exchange, exchange.query(), { queue: exchange.name("queue") })),
  );
  routes.hot("GET", "/api/v1/pop/queue/:queue/partition/:partition", "read-write", (exchange) =>
    exchange.forwardPop(
      popParams(exchange, exchange.query(), { queue: exchange.name("queue"), partition: exchange.name("partition") }),
    ),
  );
  routes.hot("GET", "/api/v1/pop", "read-write", (exchange) => {
    const query = exchange.query();
    const namespace = query.name("namespace");
    const task = query.name("task");
    if (namespace === null && task === null)
      return errorResponse(400, "namespace or task is required", exchange.answerFormat);
    const source = { ...(namespace !== null && { namespace }), ...(task !== null && { task }) };
    return exchange.forwardPop(popParams(exchange, query, source));
  });
}

function popParams(
  exchange: Exchange,
  query: Query,
  source: Pick<PopParams, "queue" | "partition" | "namespace" | "task">,
): PopParams {
  const { pop } = exchange.services.config;
  return {
    ...source,
    group: query.name("consumerGroup") ?? QUEUE_MODE_GROUP,
    batch: query.integer("batch", pop.batch, 1, POP_BATCH_MAX),
    partitions: source.partition === undefined ? query.integer("partitions", 1, 1, POP_PARTITIONS_MAX) : 1,
    wait: query.flag("wait"),
    timeoutMs: query.integer("timeout", pop.timeoutMs, 0, POP_TIMEOUT_MS_MAX),
    autoAck: query.flag("autoAck"),
    subscriptionMode: query.text("subscriptionMode") ?? pop.subscriptionMode,
    subscriptionFrom: query.text("subscriptionFrom") ?? "",
    ...(exchange.wantsSegments && { segments: true }),
  };
}
