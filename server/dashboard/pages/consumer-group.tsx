/**
 * One consumer group: on each of its queues how far it is behind, who holds what, moving it, forgetting it.
 *
 * @module
 */
import { useEffect, useState } from "preact/hooks";
import { account, call, may, part } from "../api.ts";
import { duration, groupName, moment, short, whole } from "../format.ts";
import { SPAN_SECONDS } from "../live.ts";
import { Chart, clock } from "../parts/chart.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Badge, Figure, Figures, PageHead, Pager, Panel, Table, Time } from "../parts/layout.tsx";
import { SeekForm } from "../parts/seek-form.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { attempt } from "../parts/toast.tsx";
import { useResource } from "../resource.ts";
import { go, href } from "../router.ts";
import type { Group, GroupPartition } from "../shapes.ts";
import { useStore } from "../store.ts";
import { GroupState } from "./consumer-groups.tsx";

const PAGE = 25;
const SAMPLE_MS = 2_000;
/** Samples of the lag that are kept of each group and queue. */
const SAMPLES_MAX = 450;

/** The page. */
export function ConsumerGroupPage({ name }: { name: string }) {
  const list = useResource<Group[]>("/api/v1/consumer-groups", SAMPLE_MS);
  const [deleting, setDeleting] = useState(false);
  const who = useStore(account);
  return (
    <>
      <PageHead title={groupName(name)} above={<a href={href(["groups"])}>Consumer groups</a>}>
        {may("admin", who) && (
          <button type="button" class="quiet-danger" onClick={() => setDeleting(true)}>
            Delete group
          </button>
        )}
      </PageHead>
      <Ready of={list}>
        {(groups) => {
          const own = groups.filter((group) => group.name === name);
          if (own.length === 0) return <Empty title="There is no such consumer group">It may have been deleted.</Empty>;
          return own.map((group) => <OnQueue key={group.queueName} group={group} onChange={list.reload} />);
        }}
      </Ready>
      {deleting && (
        <Forget
          title="Delete consumer group"
          typed={name}
          path={`/api/v1/consumer-groups/${part(name)}`}
          onClose={() => setDeleting(false)}
          onDone={() => go(["groups"])}
        />
      )}
    </>
  );
}

interface ForgetProps {
  title: string;
  typed: string;
  path: string;
  onClose: () => void;
  onDone: () => void;
}

function Forget({ title, typed, path, onClose, onDone }: ForgetProps) {
  const remove = async () => {
    const done = await attempt(() => call(path, { method: "DELETE" }), "The group was deleted");
    if (done) onDone();
    return done;
  };
  return (
    <Confirm title={title} action="Delete" typed={typed} danger onConfirm={remove} onClose={onClose}>
      <p>
        Forgets where the group stands, its subscription and its dead letters. When it pops again it begins anew, as a
        group that never was.
      </p>
    </Confirm>
  );
}

function OnQueue({ group, onChange }: { group: Group; onChange: () => void }) {
  const { name, queueName } = group;
  const [open, setOpen] = useState<"seek" | "forget" | null>(null);
  const who = useStore(account);
  const close = () => setOpen(null);
  const aside = (
    <>
      {may("read-write", who) && (
        <button type="button" class="small" onClick={() => setOpen("seek")}>
          Seek
        </button>
      )}
      {may("admin", who) && (
        <button type="button" class="small quiet-danger" onClick={() => setOpen("forget")}>
          Delete here
        </button>
      )}
    </>
  );
  const start = group.subscriptionMode === null ? "everything" : `${group.subscriptionMode} messages`;
  return (
    <>
      <Panel title={queueName} aside={aside}>
        <div class="stack">
          <Figures>
            <Figure name="Behind" value={whole(group.pendingMessages ?? 0)} note="messages" />
            <Figure name="Lag" value={duration(group.maxTimeLag * 1_000)} note="oldest message" />
            <Figure
              name="Partitions"
              value={whole(group.members)}
              note={`${whole(group.partitionsWithLag)} with lag`}
            />
            <Figure name="State" value={<GroupState state={group.state} />} />
            <Figure
              name="Subscribed to"
              value={start}
              note={group.subscriptionTimestamp === null ? undefined : `from ${moment(group.subscriptionTimestamp)}`}
            />
          </Figures>
          <LagChart group={group} />
        </div>
      </Panel>
      <Members name={name} queue={queueName} />
      {open === "seek" && <SeekForm group={name} queue={queueName} onClose={close} onDone={onChange} />}
      {open === "forget" && (
        <Forget
          title={`Delete here: ${queueName}`}
          typed={name}
          path={`/api/v1/consumer-groups/${part(name)}/queues/${part(queueName)}`}
          onClose={close}
          onDone={onChange}
        />
      )}
    </>
  );
}

interface Sample {
  at: number;
  behind: number;
  lagMs: number;
}

/** The server keeps no series for a group: what was seen is kept here until the page is loaded anew, by group and queue. */
const seen = new Map<string, readonly Sample[]>();

function LagChart({ group }: { group: Group }) {
  const key = `${group.name}\n${group.queueName}`;
  const [samples, setSamples] = useState<readonly Sample[]>(() => seen.get(key) ?? []);
  useEffect(() => {
    const sample = { at: Date.now() / 1_000, behind: group.pendingMessages ?? 0, lagMs: group.maxTimeLag * 1_000 };
    seen.set(key, [...(seen.get(key) ?? []).slice(-(SAMPLES_MAX - 1)), sample]);
    setSamples(seen.get(key)!);
  }, [group]);
  const at = samples.map((sample) => sample.at);
  const since = `seen since ${clock(at[0] ?? Date.now() / 1_000, 1)}`;
  return (
    <div class="columns">
      <figure>
        <figcaption>
          Messages behind <span class="faint">{since}</span>
        </figcaption>
        <Chart
          label="Messages behind"
          at={at}
          spanSeconds={SPAN_SECONDS}
          height={130}
          series={[{ name: "Behind", color: "push", values: samples.map(({ behind }) => behind), fill: true }]}
          format={short}
        />
      </figure>
      <figure>
        <figcaption>
          Lag <span class="faint">{since}</span>
        </figcaption>
        <Chart
          label="Lag"
          at={at}
          spanSeconds={SPAN_SECONDS}
          height={130}
          series={[{ name: "Lag", color: "lag", values: samples.map(({ lagMs }) => lagMs), fill: true }]}
          format={duration}
        />
      </figure>
    </div>
  );
}

function Members({ name, queue }: { name: string; queue: string }) {
  const [offset, setOffset] = useState(0);
  // The page is cut here: pages of the answer count over all queues of the group.
  const detail = useResource<Record<string, { partitions: GroupPartition[]; total: number }>>(
    `/api/v1/consumer-groups/${part(name)}`,
  );
  return (
    <Panel title={`Partitions of ${queue}`} flush>
      <Ready of={detail} rows={4}>
        {(queues) => {
          const rows = queues?.[queue]?.partitions ?? [];
          if (rows.length === 0) return <Empty title="It has consumed from no partition yet" />;
          return (
            <>
              <Table
                label={`Where the group stands on ${queue}`}
                rows={rows}
                page={{ offset, limit: PAGE }}
                rowKey={({ partition }) => partition}
                order="-Behind"
                columns={[
                  {
                    name: "Partition",
                    by: ({ partition }) => partition,
                    cell: ({ partition }) => <a href={href(["messages"], { queue, partition })}>{partition}</a>,
                  },
                  {
                    name: "Behind",
                    number: true,
                    by: ({ offsetLag }) => offsetLag,
                    cell: ({ offsetLag }) => whole(offsetLag),
                  },
                  {
                    name: "Lag",
                    number: true,
                    by: ({ timeLagSeconds }) => timeLagSeconds,
                    cell: ({ timeLagSeconds }) => duration(timeLagSeconds * 1_000),
                  },
                  { name: "Lease", cell: (row) => <Lease {...row} /> },
                  {
                    name: "Consumed",
                    number: true,
                    minor: true,
                    by: ({ totalConsumed }) => totalConsumed,
                    cell: ({ totalConsumed }) => whole(totalConsumed),
                  },
                  {
                    name: "Last ack",
                    number: true,
                    minor: true,
                    cell: ({ lastConsumedAt }) => <Time at={lastConsumedAt} />,
                  },
                ]}
              />
              <Pager
                offset={offset}
                limit={PAGE}
                shown={Math.max(0, Math.min(PAGE, rows.length - offset))}
                total={rows.length}
                onPage={setOffset}
              />
            </>
          );
        }}
      </Ready>
    </Panel>
  );
}

function Lease({ leaseActive, workerId }: GroupPartition) {
  if (!leaseActive) return <span class="faint">free</span>;
  return (
    <span title={workerId === null ? undefined : `Lease ${workerId}`}>
      <Badge tone="busy">leased</Badge>
    </span>
  );
}
