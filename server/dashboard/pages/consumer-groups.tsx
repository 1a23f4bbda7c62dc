/**
 * All consumer groups, a line for each queue they consume.
 *
 * @module
 */
import { duration, groupName, whole } from "../format.ts";
import { Badge, PageHead, Pager, Panel, Search, Table } from "../parts/layout.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { href, place, refine } from "../router.ts";
import type { Group } from "../shapes.ts";
import { useStore } from "../store.ts";

const PAGE = 50;
const TONES = { Stable: "good", Lagging: "warn", Dead: "calm" } as const;

/** How a group is doing, in one word of the server's. */
export function GroupState({ state }: { state: string }) {
  return <Badge tone={TONES[state as keyof typeof TONES] ?? "calm"}>{state.toLowerCase()}</Badge>;
}

/** The page. */
export function ConsumerGroupsPage() {
  const list = useResource<Group[]>("/api/v1/consumer-groups");
  const { search } = useStore(place);
  const wanted = search.get("search") ?? "";
  const offset = Number(search.get("offset") ?? 0);
  return (
    <>
      <PageHead title="Consumer groups">
        <Search
          label="Search groups and queues"
          value={wanted}
          onSearch={(text) => refine({ search: text || null, offset: null })}
        />
      </PageHead>
      <Panel flush>
        <Ready of={list}>{(groups) => <List groups={groups} wanted={wanted} offset={offset} />}</Ready>
      </Panel>
    </>
  );
}

function List({ groups, wanted, offset }: { groups: readonly Group[]; wanted: string; offset: number }) {
  const text = wanted.toLowerCase();
  const found = groups.filter(({ name, queueName }) => `${groupName(name)}\n${queueName}`.toLowerCase().includes(text));
  if (groups.length === 0) return <Empty title="No consumer groups yet">A group is made by its first pop.</Empty>;
  if (found.length === 0) return <Empty title={`Nothing is called “${wanted}”`} />;
  return (
    <>
      <Table
        label="Consumer groups"
        rows={found}
        page={{ offset, limit: PAGE }}
        rowKey={({ name, queueName }) => `${name}\n${queueName}`}
        order="-Lag"
        columns={[
          {
            name: "Group",
            by: ({ name }) => groupName(name),
            cell: ({ name }) => (
              <a class="strong" href={href(["groups", name])}>
                {groupName(name)}
              </a>
            ),
          },
          {
            name: "Queue",
            by: ({ queueName }) => queueName,
            cell: ({ queueName }) => <a href={href(["queues", queueName])}>{queueName}</a>,
          },
          {
            name: "Partitions",
            number: true,
            minor: true,
            by: ({ members }) => members,
            cell: ({ members }) => whole(members),
          },
          {
            name: "With lag",
            number: true,
            minor: true,
            by: ({ partitionsWithLag }) => partitionsWithLag,
            cell: ({ partitionsWithLag }) => whole(partitionsWithLag),
          },
          {
            name: "Behind",
            number: true,
            by: ({ pendingMessages }) => pendingMessages ?? 0,
            cell: ({ pendingMessages }) => whole(pendingMessages ?? 0),
          },
          {
            name: "Lag",
            number: true,
            by: ({ maxTimeLag }) => maxTimeLag,
            cell: ({ maxTimeLag }) => duration(maxTimeLag * 1_000),
          },
          { name: "State", number: true, minor: true, cell: ({ state }) => <GroupState state={state} /> },
        ]}
      />
      <Pager
        offset={offset}
        limit={PAGE}
        shown={Math.max(0, Math.min(PAGE, found.length - offset))}
        total={found.length}
        onPage={(next) => refine({ offset: next || null })}
      />
    </>
  );
}
