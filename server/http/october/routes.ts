/**
 * The October 2025 dialect, mounted below `/2025-10`: what its clients call, over the same engine.
 *
 * @module
 */
import { POP_BATCH_MAX, QUEUE_MODE_GROUP } from "../../../schema/wire/limits.ts";
import type { PopParams } from "../../pool/pool.ts";
import type { Exchange } from "../exchange.ts";
import type { Query } from "../parameters.ts";
import { errorResponse } from "../respond.ts";
import type { Routes } from "../router.ts";
import { octoberListingRoutes } from "./listing-routes.ts";
import { OCTOBER_PREFIX } from "./prefix.ts";
import { octoberSystemRoutes } from "./system-routes.ts";

const API = `${OCTOBER_PREFIX}/api/v1`;

/** Longest long poll, in milliseconds; more is clamped. */
const POP_TIMEOUT_MS_MAX = 60_000;
/** What a pop that names no batch gets. */
const POP_BATCH_DEFAULT = 1;

/** Registers the routes that produce, consume and configure. */
export function octoberRoutes(routes: Routes): void {
  routes.post(`${API}/configure`, "read-write", (exchange) => exchange.forwardBody("octoberConfigure", {}));
  routes.post(`${API}/push`, "read-write", (exchange) =>
    exchange.forwardBody("push", { producerSub: exchange.subject, october: true }),
  );
  routes.get(`${API}/pop/queue/:queue`, "read-write", (exchange) => {
    const query = exchange.query();
    return exchange.forwardPop(popParams(exchange, query, { queue: exchange.name("queue") }));
  });
  routes.get(`${API}/pop/queue/:queue/partition/:partition`, "read-write", (exchange) => {
    const source = { queue: exchange.name("queue"), partition: exchange.name("partition") };
    return exchange.forwardPop(popParams(exchange, exchange.query(), source));
  });
  routes.get(`${API}/pop`, "read-write", popFiltered);
  routes.post(`${API}/ack`, "read-write", (exchange) => exchange.forwardBody("octoberAck", {}));
  routes.post(`${API}/ack/batch`, "read-write", (exchange) => exchange.forwardBody("octoberAckBatch", {}));
  routes.delete(`${API}/resources/queues/:queue`, "admin", (exchange) =>
    exchange.forward("octoberQueueDelete", { queue: exchange.name("queue") }),
  );
  routes.delete(`${API}/queues/:queue/clear`, "admin", (exchange) =>
    exchange.forward("octoberQueueClear", {
      queue: exchange.name("queue"),
      partition: exchange.query().name("partition"),
    }),
  );
  messageRoutes(routes);
  octoberListingRoutes(routes);
  octoberSystemRoutes(routes);
}

function messageRoutes(routes: Routes): void {
  const path = `${API}/messages/:transactionId`;
  const params = (exchange: Exchange) => ({ transactionId: exchange.name("transactionId") });
  routes.get(path, "read-only", (exchange) => exchange.forward("octoberMessageGet", params(exchange)));
  routes.get(`${path}/related`, "read-only", (exchange) => exchange.forward("octoberMessageRelated", params(exchange)));
  routes.delete(path, "read-write", (exchange) => exchange.forward("octoberMessageDelete", params(exchange)));
  routes.post(`${path}/retry`, "read-write", (exchange) => exchange.forward("octoberMessageRetry", params(exchange)));
  routes.post(`${path}/dlq`, "read-write", (exchange) =>
    exchange.forward("octoberMessageDeadLetter", params(exchange)),
  );
}

function popFiltered(exchange: Exchange): Response | Promise<Response> {
  const query = exchange.query();
  const namespace = query.name("namespace");
  const task = query.name("task");
  if (namespace === null && task === null) {
    return errorResponse(400, "namespace or task is required", exchange.answerFormat);
  }
  const source = { ...(namespace !== null && { namespace }), ...(task !== null && { task }) };
  // Over several queues a group starts with everything that is stored.
  return exchange.forwardPop({ ...popParams(exchange, query, source), subscriptionMode: "all", subscriptionFrom: "" });
}

function popParams(
  { services }: Exchange,
  query: Query,
  source: Pick<PopParams, "queue" | "partition" | "namespace" | "task">,
): PopParams {
  return {
    ...source,
    group: query.name("consumerGroup") ?? query.name("consumer_group") ?? QUEUE_MODE_GROUP,
    batch: query.integer("batch", POP_BATCH_DEFAULT, 1, POP_BATCH_MAX),
    partitions: 1,
    wait: query.flag("wait"),
    timeoutMs: query.integer(
      "timeout",
      Math.min(services.config.pop.timeoutMs, POP_TIMEOUT_MS_MAX),
      0,
      POP_TIMEOUT_MS_MAX,
    ),
    autoAck: false,
    subscriptionMode: query.text("subscriptionMode") ?? "",
    subscriptionFrom: query.text("subscriptionFrom") ?? "",
    october: true,
  };
}
