/**
 * All queues: searched, ordered, paged, and made.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { account, may } from "../api.ts";
import { plural, whole } from "../format.ts";
import { Icon } from "../parts/icons.tsx";
import { PageHead, Pager, Panel, Search, Table, Time } from "../parts/layout.tsx";
import { QueueForm } from "../parts/queue-form.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { go, href, place, refine } from "../router.ts";
import type { QueueElement } from "../shapes.ts";
import { useStore } from "../store.ts";

const PAGE = 50;
const LISTED_MAX = 10_000;
const REFRESH_MS = 10_000;

/** The page. */
export function QueuesPage() {
  const list = useResource<{ queues: QueueElement[]; total: number }>(
    `/api/v1/status/queues?limit=${LISTED_MAX}`,
    REFRESH_MS,
  );
  const { search } = useStore(place);
  const [making, setMaking] = useState(false);
  const who = useStore(account);
  const wanted = search.get("search") ?? "";
  const offset = Number(search.get("offset") ?? 0);
  return (
    <>
      <PageHead title="Queues">
        <Search
          label="Search queues"
          value={wanted}
          onSearch={(text) => refine({ search: text || null, offset: null })}
        />
        {may("read-write", who) && (
          <button type="button" class="primary" onClick={() => setMaking(true)}>
            <Icon name="plus" />
            New queue
          </button>
        )}
      </PageHead>
      <Panel flush>
        <Ready of={list}>
          {({ queues, total }) => <List queues={queues} total={total} wanted={wanted} offset={offset} />}
        </Ready>
      </Panel>
      {making && <QueueForm onClose={() => setMaking(false)} onSaved={(name) => go(["queues", name])} />}
    </>
  );
}

function List(props: { queues: QueueElement[]; total: number; wanted: string; offset: number }) {
  const { queues, total, wanted, offset } = props;
  const text = wanted.toLowerCase();
  const found = queues.filter(({ name, namespace, task }) =>
    `${name}\n${namespace}\n${task}`.toLowerCase().includes(text),
  );
  if (queues.length === 0) {
    return <Empty title="No queues yet">Make one here, or push to one: a push makes the queue it names.</Empty>;
  }
  if (found.length === 0)
    return <Empty title={`Nothing is called “${wanted}”`}>Names, namespaces and tasks were searched.</Empty>;
  return (
    <>
      <Table
        label="Queues"
        rows={found}
        page={{ offset, limit: PAGE }}
        rowKey={({ id }) => id}
        order="Queue"
        columns={[
          {
            name: "Queue",
            by: ({ name }) => name,
            cell: ({ name }) => (
              <a class="strong" href={href(["queues", name])}>
                {name || "(no name)"}
              </a>
            ),
          },
          {
            name: "Namespace",
            by: ({ namespace }) => namespace,
            minor: true,
            cell: ({ namespace }) => namespace || "–",
          },
          { name: "Task", by: ({ task }) => task, minor: true, cell: ({ task }) => task || "–" },
          {
            name: "Partitions",
            number: true,
            by: ({ partitions }) => partitions,
            minor: true,
            cell: ({ partitions }) => whole(partitions),
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
            minor: true,
            cell: ({ messages }) => whole(messages.processing),
          },
          {
            name: "Stored",
            number: true,
            by: ({ messages }) => messages.total,
            cell: ({ messages }) => whole(messages.total),
          },
          {
            name: "Created",
            by: ({ createdAt }) => createdAt,
            minor: true,
            cell: ({ createdAt }) => <Time at={createdAt} />,
          },
        ]}
      />
      <Pager
        offset={offset}
        limit={PAGE}
        shown={Math.max(0, Math.min(PAGE, found.length - offset))}
        total={found.length}
        onPage={(next) => refine({ offset: next || null })}
      />
      {total > queues.length && (
        <p class="stale">
          Only the latest {plural(queues.length, "queue")} of {whole(total)} are listed.
        </p>
      )}
    </>
  );
}
