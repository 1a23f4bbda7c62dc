/**
 * The partitions of a queue: what waits in each, and how one consumer group stands there.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { part } from "../api.ts";
import { duration, groupName, plural, whole } from "../format.ts";
import { Badge, type Column, Pager, Panel, Table, Time } from "../parts/layout.tsx";
import { Empty } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { href } from "../router.ts";
import type { Group, GroupPartition, Partition } from "../shapes.ts";
import type { QueueStatus } from "./queue.tsx";

const PAGE = 25;

/** See the module's comment. */
export function Partitions(props: { status: QueueStatus; offset: number; onPage: (offset: number) => void }) {
  const { status, offset, onPage } = props;
  const { queue, partitions, partitionCount } = status;
  const [group, setGroup] = useState("");
  const groups = useResource<Group[]>("/api/v1/consumer-groups");
  const names = (groups.value ?? []).filter(({ queueName }) => queueName === queue.name).map(({ name }) => name);
  const detail = useResource<Record<string, { partitions: GroupPartition[] }>>(
    group === "" ? null : `/api/v1/consumer-groups/${part(group)}`,
  );
  const standings = new Map((detail.value?.[queue.name]?.partitions ?? []).map((each) => [each.partition, each]));
  const choose = (
    <label>
      <span class="faint">Lag and lease of </span>
      <select value={group} onChange={(event) => setGroup(event.currentTarget.value)}>
        <option value="">no group</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {groupName(name)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Panel title={plural(partitionCount, "partition")} flush aside={names.length > 0 && choose}>
      {partitions.length === 0 ? (
        <Empty title="No partitions" />
      ) : (
        <Table
          label="Partitions"
          rows={partitions}
          rowKey={({ id }) => id}
          columns={
            group === "" ? columnsOf(queue.name) : [...columnsOf(queue.name).slice(0, 2), ...standingColumns(standings)]
          }
        />
      )}
      <Pager offset={offset} limit={PAGE} shown={partitions.length} total={partitionCount} onPage={onPage} />
    </Panel>
  );
}

function columnsOf(queue: string): Column<Partition>[] {
  return [
    {
      name: "Partition",
      by: ({ name }) => name,
      cell: ({ name }) => <a href={href(["messages"], { queue, partition: name })}>{name}</a>,
    },
    {
      name: "Pending",
      number: true,
      by: ({ messages }) => messages.pending,
      cell: ({ messages }) => whole(messages.pending),
    },
    {
      name: "Processing",
      number: true,
      by: ({ messages }) => messages.processing,
      cell: ({ messages }) => whole(messages.processing),
    },
    {
      name: "Stored",
      number: true,
      minor: true,
      by: ({ messages }) => messages.total,
      cell: ({ messages }) => whole(messages.total),
    },
    {
      name: "Dead",
      number: true,
      minor: true,
      by: ({ messages }) => messages.deadLetter,
      cell: ({ messages }) => whole(messages.deadLetter),
    },
    { name: "Oldest", minor: true, cell: ({ oldestMessage }) => <Time at={oldestMessage} /> },
    { name: "Newest", cell: ({ newestMessage }) => <Time at={newestMessage} /> },
  ];
}

function standingColumns(standings: ReadonlyMap<string, GroupPartition>): Column<Partition>[] {
  const of = ({ name }: Partition) => standings.get(name);
  return [
    {
      name: "Behind",
      number: true,
      by: (row) => of(row)?.offsetLag ?? -1,
      cell: (row) => whole(of(row)?.offsetLag ?? 0),
    },
    {
      name: "Lag",
      number: true,
      by: (row) => of(row)?.timeLagSeconds ?? -1,
      cell: (row) => duration((of(row)?.timeLagSeconds ?? 0) * 1_000),
    },
    {
      name: "Lease",
      cell: (row) => (of(row)?.leaseActive ? <Badge tone="busy">leased</Badge> : <span class="faint">free</span>),
    },
    { name: "Consumed", number: true, minor: true, cell: (row) => whole(of(row)?.totalConsumed ?? 0) },
    { name: "Last ack", minor: true, cell: (row) => <Time at={of(row)?.lastConsumedAt ?? null} /> },
  ];
}
