/**
 * One queue: how it stands, its partitions, its consumer groups, its traffic, and what can be done with it.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { account, call, may, part, query } from "../api.ts";
import { duration, groupName, short, steps, whole } from "../format.ts";
import { Chart } from "../parts/chart.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Figure, Figures, PageHead, Panel, Table, Time } from "../parts/layout.tsx";
import { PushForm } from "../parts/push-form.tsx";
import { QueueForm } from "../parts/queue-form.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { attempt } from "../parts/toast.tsx";
import { useResource } from "../resource.ts";
import { go, href } from "../router.ts";
import type { Counts, Group, Partition } from "../shapes.ts";
import { useStore } from "../store.ts";
import { Partitions } from "./queue-partitions.tsx";

/** What the server says of a queue. */
export interface QueueStatus {
  queue: { name: string; namespace: string; task: string; createdAt: string; priority: number };
  partitions: Partition[];
  totals: Counts;
  partitionCount: number;
}

type Open = "push" | "options" | "clear" | "delete" | null;
const HISTORY_MS = 15_000;

/** The page. */
export function QueuePage({ name }: { name: string }) {
  const [offset, setOffset] = useState(0);
  const [open, setOpen] = useState<Open>(null);
  const status = useResource<QueueStatus>(`/api/v1/status/queues/${part(name)}${query({ limit: 25, offset })}`);
  const close = () => setOpen(null);
  return (
    <>
      <PageHead title={name} above={<a href={href(["queues"])}>Queues</a>}>
        <Actions name={name} onOpen={setOpen} />
      </PageHead>
      <Ready of={status}>
        {(value) => (
          <>
            <Totals {...value} />
            <Traffic name={name} />
            <Groups name={name} />
            <Partitions status={value} offset={offset} onPage={setOffset} />
          </>
        )}
      </Ready>
      {open === "push" && <PushForm queue={name} onClose={close} onPushed={status.reload} />}
      {open === "options" && <QueueForm name={name} onClose={close} onSaved={status.reload} />}
      {open === "clear" && <Clear name={name} onClose={close} onDone={status.reload} />}
      {open === "delete" && <Delete name={name} onClose={close} />}
    </>
  );
}

function Actions({ name, onOpen }: { name: string; onOpen: (open: Open) => void }) {
  const who = useStore(account);
  return (
    <>
      <a class="button" href={href(["messages"], { queue: name })}>
        Messages
      </a>
      {may("read-write", who) && (
        <>
          <button type="button" onClick={() => onOpen("push")}>
            Push
          </button>
          <button type="button" onClick={() => onOpen("options")}>
            Options
          </button>
        </>
      )}
      {may("admin", who) && (
        <>
          <button type="button" class="quiet-danger" onClick={() => onOpen("clear")}>
            Clear
          </button>
          <button type="button" class="quiet-danger" onClick={() => onOpen("delete")}>
            Delete
          </button>
        </>
      )}
    </>
  );
}

function Totals({ queue, totals, partitionCount }: QueueStatus) {
  return (
    <Figures>
      <Figure name="Pending" value={whole(totals.pending)} />
      <Figure name="Processing" value={whole(totals.processing)} />
      <Figure name="Stored" value={whole(totals.total)} />
      <Figure
        name="Dead letters"
        value={<a href={href(["dead-letters"], { queue: queue.name })}>{whole(totals.deadLetter)}</a>}
        tone={totals.deadLetter > 0 ? "warn" : undefined}
      />
      <Figure name="Partitions" value={whole(partitionCount)} />
      <Figure
        name="Created"
        value={<Time at={queue.createdAt} />}
        note={[queue.namespace, queue.task].filter(Boolean).join(" / ")}
      />
    </Figures>
  );
}

interface Operations {
  bucket: string;
  pushPerSecond: number;
  popPerSecond: number;
  ackPerSecond: number;
  avgLagMs: number;
  maxLagMs: number;
  parkedCount: number;
}

function Traffic({ name }: { name: string }) {
  const series = useResource<{ series: Operations[]; bucketMinutes: number }>(
    `/api/v1/analytics/queue-ops${query({ queue: name })}`,
    HISTORY_MS,
  );
  return (
    <Ready of={series} rows={4}>
      {({ series: rows, bucketMinutes }) => {
        const at = rows.map(({ bucket }) => Date.parse(bucket) / 1_000);
        const of = (key: keyof Operations) => rows.map((row) => row[key] as number);
        const note = <span class="faint">last hour, {steps(bucketMinutes)}</span>;
        if (rows.length === 0) return null;
        return (
          <div class="columns">
            <Panel title="Messages a second" aside={note}>
              <Chart
                label="Messages of the queue pushed, popped and acknowledged a second"
                at={at}
                height={150}
                series={[
                  { name: "Push", color: "push", values: of("pushPerSecond"), fill: true },
                  { name: "Pop", color: "pop", values: of("popPerSecond") },
                  { name: "Ack", color: "ack", values: of("ackPerSecond") },
                ]}
                format={short}
              />
            </Panel>
            <Panel title="Age at delivery" aside={note}>
              <Chart
                label="Mean and largest age of the queue's messages when they were popped"
                at={at}
                height={150}
                series={[
                  { name: "Mean", color: "lag", values: of("avgLagMs"), fill: true },
                  { name: "Largest", color: "warn", values: of("maxLagMs") },
                ]}
                format={duration}
              />
            </Panel>
          </div>
        );
      }}
    </Ready>
  );
}

function Groups({ name }: { name: string }) {
  const list = useResource<Group[]>("/api/v1/consumer-groups");
  return (
    <Panel title="Consumer groups" flush>
      <Ready of={list} rows={3}>
        {(groups) => {
          const rows = groups.filter(({ queueName }) => queueName === name);
          if (rows.length === 0) return <Empty title="Nobody has consumed from it yet" />;
          return (
            <Table
              label="Consumer groups of the queue"
              rows={rows}
              rowKey={(group) => group.name}
              columns={[
                { name: "Group", cell: (group) => <a href={href(["groups", group.name])}>{groupName(group.name)}</a> },
                { name: "Partitions", number: true, minor: true, cell: ({ members }) => whole(members) },
                {
                  name: "With lag",
                  number: true,
                  minor: true,
                  cell: ({ partitionsWithLag }) => whole(partitionsWithLag),
                },
                { name: "Behind", number: true, cell: ({ pendingMessages }) => whole(pendingMessages ?? 0) },
                { name: "Lag", number: true, cell: ({ maxTimeLag }) => duration(maxTimeLag * 1_000) },
              ]}
            />
          );
        }}
      </Ready>
    </Panel>
  );
}

function Clear({ name, onClose, onDone }: { name: string; onClose: () => void; onDone: () => void }) {
  const clear = async () => {
    const done = await attempt(
      () => call(`/api/v1/queues/${part(name)}/clear`, { method: "DELETE" }),
      `All messages of ${name} were deleted`,
    );
    if (done) onDone();
    return done;
  };
  return (
    <Confirm title="Clear queue" action="Delete all messages" typed={name} danger onConfirm={clear} onClose={onClose}>
      <p>
        Deletes every message of the queue, consumed or not, and its dead letters. The queue, its options and groups
        stay.
      </p>
    </Confirm>
  );
}

function Delete({ name, onClose }: { name: string; onClose: () => void }) {
  const remove = async () => {
    const done = await attempt(
      () => call(`/api/v1/resources/queues/${part(name)}`, { method: "DELETE" }),
      `Queue ${name} was deleted`,
    );
    if (done) go(["queues"]);
    return done;
  };
  return (
    <Confirm title="Delete queue" action="Delete queue" typed={name} danger onConfirm={remove} onClose={onClose}>
      <p>Deletes the queue with its messages, options and consumer groups. This cannot be undone.</p>
    </Confirm>
  );
}
