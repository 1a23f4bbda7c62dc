/**
 * The October 2025 dialect: resources, messages and analytics.
 *
 * @module
 */
import { fieldError } from "../../../schema/wire/errors.ts";
import type { OperationParams } from "../../pool/pool.ts";
import type { Exchange } from "../exchange.ts";
import { PAGE_LIMIT_MAX, pageOf, timestampOf } from "../listing.ts";
import type { Query } from "../parameters.ts";
import type { Routes } from "../router.ts";
import { OCTOBER_PREFIX } from "./prefix.ts";

const RESOURCES = `${OCTOBER_PREFIX}/api/v1/resources`;
const ANALYTICS = `${OCTOBER_PREFIX}/api/v1/analytics`;
const MESSAGES_LIMIT = 100;
const MESSAGES_LIMIT_MAX = 1_000;
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;
const STATUSES = ["pending", "processing", "completed", "failed", "dead_letter"] as const;

type Counts = OperationParams["octoberQueueCounts"];

/** Registers what lists and counts. */
export function octoberListingRoutes(routes: Routes): void {
  resourceRoutes(routes);
  analyticsRoutes(routes);
  routes.get(`${OCTOBER_PREFIX}/api/v1/messages`, "read-only", (exchange) => {
    const query = exchange.query();
    const { limit, offset } = pageOf(query, MESSAGES_LIMIT);
    return exchange.forward("octoberMessageList", {
      queue: query.name("queue"),
      partition: query.name("partition"),
      namespace: query.name("namespace") ?? query.name("ns"),
      task: query.name("task"),
      status: statusOf(query),
      limit: Math.min(limit, MESSAGES_LIMIT_MAX),
      offset,
    });
  });
}

function statusOf(query: Query): (typeof STATUSES)[number] | null {
  const text = query.text("status");
  if (text === null) return null;
  const status = STATUSES.find((known) => known === text);
  if (status === undefined) throw fieldError(`status must be one of ${STATUSES.join(", ")}`);
  return status;
}

function resourceRoutes(routes: Routes): void {
  routes.get(`${RESOURCES}/queues`, "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("queueList", {
      ...pageOf(query, PAGE_LIMIT_MAX),
      namespace: query.name("namespace"),
      task: query.name("task"),
      inclusive: false,
    });
  });
  routes.get(`${RESOURCES}/queues/:queue`, "read-only", (exchange) =>
    exchange.forward("octoberQueueGet", { queue: exchange.name("queue") }),
  );
  routes.get(`${RESOURCES}/partitions`, "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("partitionList", {
      ...pageOf(query, PAGE_LIMIT_MAX),
      queue: query.name("queue"),
      namespace: query.name("namespace"),
      task: query.name("task"),
      depthMin: query.integer("minDepth", 0, 0, DEPTH_MAX),
    });
  });
  routes.get(`${RESOURCES}/namespaces`, "read-only", (exchange) =>
    exchange.forward("namespaceList", pageOf(exchange.query(), PAGE_LIMIT_MAX)),
  );
  routes.get(`${RESOURCES}/tasks`, "read-only", (exchange) =>
    exchange.forward("taskList", pageOf(exchange.query(), PAGE_LIMIT_MAX)),
  );
  routes.get(`${RESOURCES}/overview`, "read-only", (exchange) => exchange.forward("overview", {}));
}

function countsOf(query: Query): Counts {
  const from = timestampOf(query, "fromDateTime");
  const to = timestampOf(query, "toDateTime");
  if (from !== null && to !== null && from > to) throw fieldError("fromDateTime is later than toDateTime");
  return { queue: query.name("queue"), namespace: query.name("namespace"), task: query.name("task"), from, to };
}

function analyticsRoutes(routes: Routes): void {
  routes.get(`${ANALYTICS}/queues`, "read-only", (exchange) =>
    exchange.forward("octoberQueueCounts", countsOf(exchange.query())),
  );
  routes.get(`${ANALYTICS}/queue/:queue`, "read-only", (exchange) =>
    exchange.forward("octoberQueueCount", {
      ...countsOf(exchange.query()),
      namespace: null,
      task: null,
      queue: exchange.name("queue"),
    }),
  );
  routes.get(ANALYTICS, "read-only", (exchange) => exchange.forward("octoberLabelCounts", countsOf(exchange.query())));
  routes.get(`${ANALYTICS}/queue-depths`, "read-only", (exchange) =>
    exchange.forward("octoberDepths", countsOf(exchange.query())),
  );
  routes.get(`${ANALYTICS}/queue-stats`, "read-only", (exchange) =>
    exchange.forward("octoberGroupCounts", countsOf(exchange.query())),
  );
  routes.get(`${ANALYTICS}/throughput`, "read-only", (exchange) => measured(exchange, "octoberThroughput"));
  routes.get(`${ANALYTICS}/queue-lag`, "read-only", (exchange) => measured(exchange, "octoberQueueLag"));
}

/** Has a worker answer, once everything measured until now is written down. */
async function measured(exchange: Exchange, operation: "octoberThroughput" | "octoberQueueLag"): Promise<Response> {
  const counts = countsOf(exchange.query());
  await exchange.services.observer.flush();
  return exchange.forward(operation, counts);
}
