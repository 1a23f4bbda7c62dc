/**
 * Listings: queues, partitions, namespaces, tasks, messages, and consumer groups, with exact counts, a page at a time.
 *
 * @module
 */
import { readLagSeconds, readMessageStatus } from "../../../schema/wire/listing-requests.ts";
import type { Exchange } from "../exchange.ts";
import { PAGE_LIMIT_MAX, pageOf, timestampOf } from "../listing.ts";
import type { Routes } from "../router.ts";

/** Partitions of one queue in an answer that names no limit. */
const PARTITIONS_LIMIT = 1_000;
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

/** Registers the listings; fixed paths come before parameters, which they win over. */
export function listingRoutes(routes: Routes): void {
  resourceRoutes(routes);
  statusRoutes(routes);
  groupRoutes(routes);
  routes.get("/api/v1/messages", "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("messageList", {
      ...pageOf(query, 200),
      queue: query.name("queue"),
      partition: query.name("partition"),
      namespace: query.name("ns") ?? query.name("namespace"),
      task: query.name("task"),
      status: readMessageStatus(query.text("status")),
      from: timestampOf(query, "from"),
      to: timestampOf(query, "to"),
    });
  });
}

function resourceRoutes(routes: Routes): void {
  const resources = "/api/v1/resources";
  // Nothing limits these in 0.15: what its clients list is the whole, as far as a page can hold it.
  routes.get(`${resources}/queues`, "read-only", (exchange) => queueList(exchange, PAGE_LIMIT_MAX, false));
  routes.get(`${resources}/queues/:queue`, "read-only", (exchange) =>
    exchange.forward("queueGet", { queue: exchange.name("queue"), ...pageOf(exchange.query(), PARTITIONS_LIMIT) }),
  );
  routes.get(`${resources}/namespaces`, "read-only", (exchange) =>
    exchange.forward("namespaceList", pageOf(exchange.query(), PAGE_LIMIT_MAX)),
  );
  routes.get(`${resources}/tasks`, "read-only", (exchange) =>
    exchange.forward("taskList", pageOf(exchange.query(), PAGE_LIMIT_MAX)),
  );
  routes.get(`${resources}/overview`, "read-only", (exchange) => exchange.forward("overview", {}));
  routes.get(`${resources}/partitions`, "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("partitionList", {
      ...pageOf(query, PARTITIONS_LIMIT),
      queue: query.name("queue"),
      namespace: query.name("namespace"),
      task: query.name("task"),
      depthMin: query.integer("minDepth", 0, 0, DEPTH_MAX),
    });
  });
  routes.post("/api/v1/stats/refresh", "admin", (exchange) => exchange.forward("statisticsRefresh", {}));
}

function statusRoutes(routes: Routes): void {
  const queues = "/api/v1/status/queues";
  routes.get(queues, "read-only", (exchange) => queueList(exchange, 100, true));
  routes.get(`${queues}/:queue`, "read-only", (exchange) =>
    exchange.forward("queueStatus", { queue: exchange.name("queue"), ...pageOf(exchange.query(), PARTITIONS_LIMIT) }),
  );
  routes.get(`${queues}/:queue/messages`, "read-only", (exchange) =>
    exchange.forward("queueMessageList", { queue: exchange.name("queue"), ...pageOf(exchange.query(), 50) }),
  );
}

function groupRoutes(routes: Routes): void {
  const groups = "/api/v1/consumer-groups";
  routes.get(groups, "read-only", (exchange) =>
    exchange.forward("groupList", pageOf(exchange.query(), PAGE_LIMIT_MAX)),
  );
  routes.get(`${groups}/lagging`, "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("groupLagging", {
      ...pageOf(query, PARTITIONS_LIMIT),
      lagMin: readLagSeconds(query.text("minLagSeconds")),
    });
  });
  routes.get(`${groups}/:group`, "read-only", (exchange) =>
    exchange.forward("groupGet", { group: exchange.name("group"), ...pageOf(exchange.query(), PAGE_LIMIT_MAX) }),
  );
}

function queueList(exchange: Exchange, limitDefault: number, inclusive: boolean): Promise<Response> {
  const query = exchange.query();
  return exchange.forward("queueList", {
    ...pageOf(query, limitDefault),
    namespace: query.name("namespace"),
    task: query.name("task"),
    inclusive,
  });
}
