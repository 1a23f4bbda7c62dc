/**
 * Consumer groups: forget, subscribe, seek.
 *
 * @module
 */
import { readSeekQuery } from "../../../schema/wire/listing-requests.ts";
import type { Routes } from "../router.ts";

/** Registers the routes that change consumer groups. */
export function consumerGroupRoutes(routes: Routes): void {
  const group = "/api/v1/consumer-groups/:group";
  routes.delete(group, "admin", (exchange) =>
    exchange.forward("groupDelete", {
      group: exchange.name("group"),
      deleteMetadata: exchange.query().flag("deleteMetadata", true),
    }),
  );
  routes.delete(`${group}/queues/:queue`, "admin", (exchange) =>
    exchange.forward("groupQueueDelete", {
      group: exchange.name("group"),
      queue: exchange.name("queue"),
      deleteMetadata: exchange.query().flag("deleteMetadata", true),
    }),
  );
  routes.post(`${group}/subscription`, "read-write", (exchange) =>
    exchange.forwardBody("groupSubscriptionUpdate", { group: exchange.name("group") }),
  );
  routes.post(`${group}/queues/:queue/seek`, "read-write", (exchange) =>
    exchange.forwardBody("groupSeek", { group: exchange.name("group"), queue: exchange.name("queue") }),
  );
  routes.get(`${group}/queues/:queue/seek`, "read-only", (exchange) => {
    const query = exchange.query();
    return exchange.forward("seekPreview", {
      group: exchange.name("group"),
      queue: exchange.name("queue"),
      after: readSeekQuery(query.flag("toEnd"), query.text("timestamp")),
    });
  });
  routes.post(`${group}/queues/:queue/partitions/:partition/seek`, "read-write", (exchange) =>
    exchange.forward("partitionSeek", {
      group: exchange.name("group"),
      queue: exchange.name("queue"),
      partition: exchange.name("partition"),
    }),
  );
}
