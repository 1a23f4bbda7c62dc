/**
 * The two lists of the overview: where most waits, and who is behind.
 *
 * @module
 */
import { duration, groupName, whole } from "../format.ts";
import { Badge, Panel, Table } from "../parts/layout.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { href } from "../router.ts";
import type { Group, QueueElement } from "../shapes.ts";

const SHOWN = 8;

/** The queues with the most pending messages. */
export function TopQueues() {
  const list = useResource<{ queues: QueueElement[]; total: number }>("/api/v1/status/queues?limit=500");
  return (
    <Panel title="Most pending" flush aside={<a href={href(["queues"])}>All queues</a>}>
      <Ready of={list}>
        {({ queues }) => {
          const rows = queues.toSorted((a, b) => b.messages.pending - a.messages.pending).slice(0, SHOWN);
          if (rows.length === 0) return <Empty title="No queues yet">The first push makes one.</Empty>;
          return (
            <Table
              label="Queues with the most pending messages"
              rows={rows}
              rowKey={({ id }) => id}
              columns={[
                { name: "Queue", cell: ({ name }) => <a href={href(["queues", name])}>{name}</a> },
                { name: "Pending", number: true, cell: ({ messages }) => whole(messages.pending) },
                { name: "Processing", number: true, minor: true, cell: ({ messages }) => whole(messages.processing) },
                { name: "Stored", number: true, cell: ({ messages }) => whole(messages.total) },
              ]}
            />
          );
        }}
      </Ready>
    </Panel>
  );
}

/** The consumer groups whose oldest message waits longest. */
export function LaggingGroups() {
  const list = useResource<Group[] | null>("/api/v1/consumer-groups?limit=500");
  return (
    <Panel title="Furthest behind" flush aside={<a href={href(["groups"])}>All groups</a>}>
      <Ready of={{ ...list, value: list.loading || list.error ? list.value : (list.value ?? []) }}>
        {(groups) => {
          const rows = groups!.toSorted((a, b) => b.maxTimeLag - a.maxTimeLag).slice(0, SHOWN);
          if (rows.length === 0) return <Empty title="No consumer groups yet">The first pop makes one.</Empty>;
          return (
            <Table
              label="Consumer groups furthest behind"
              rows={rows}
              rowKey={({ name, queueName }) => `${name}\n${queueName}`}
              columns={[
                { name: "Group", cell: ({ name }) => <a href={href(["groups", name])}>{groupName(name)}</a> },
                { name: "Queue", cell: ({ queueName }) => queueName },
                { name: "Behind", number: true, cell: ({ pendingMessages }) => whole(pendingMessages ?? 0) },
                {
                  name: "Lag",
                  number: true,
                  cell: ({ maxTimeLag, state }) =>
                    state === "Lagging" ? (
                      <Badge tone="warn">{duration(maxTimeLag * 1_000)}</Badge>
                    ) : (
                      duration(maxTimeLag * 1_000)
                    ),
                },
              ]}
            />
          );
        }}
      </Ready>
    </Panel>
  );
}
