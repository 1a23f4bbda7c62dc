/**
 * Messages, newest first, by queue, partition, state and time.
 *
 * @module
 */
import { query } from "../api.ts";
import { Field, PageHead, Pager, Panel, Status, Table, Time } from "../parts/layout.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { href, place, refine } from "../router.ts";
import type { MessageElement } from "../shapes.ts";
import { useStore } from "../store.ts";

const PAGE = 50;
const STATES = ["pending", "processing", "completed", "dead_letter"] as const;
const SPANS = [
  { value: "", name: "The last hour" },
  { value: "6", name: "The last 6 hours" },
  { value: "24", name: "The last day" },
  { value: "168", name: "The last 7 days" },
  { value: "720", name: "The last 30 days" },
] as const;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Where to begin for a number of hours back, to the minute, so that it stays the same from one drawing to the next. */
function since(hours: string): string | null {
  if (hours === "") return null;
  return new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - Number(hours) * HOUR_MS).toISOString();
}

/** The page. */
export function MessagesPage() {
  const { search } = useStore(place);
  const of = (name: string) => search.get(name) ?? "";
  const offset = Number(of("offset") || 0);
  const list = useResource<{ messages: MessageElement[]; incomplete?: boolean; searchedTo?: string }>(
    `/api/v1/messages${query({
      queue: of("queue"),
      partition: of("partition"),
      status: of("status"),
      from: since(of("hours")),
      limit: PAGE,
      offset,
    })}`,
  );
  return (
    <>
      <PageHead title="Messages" />
      <Panel flush>
        <Filters of={of} />
        <Ready of={list}>
          {({ messages, searchedTo }) => (
            <>
              {searchedTo !== undefined && (
                <p class="stale">
                  Only messages newer than {searchedTo} were searched. Name a queue to search further.
                </p>
              )}
              {messages.length === 0 ? (
                <Empty title="No messages match">Look further back, or at other states.</Empty>
              ) : (
                <List messages={messages} />
              )}
              <Pager
                offset={offset}
                limit={PAGE}
                shown={messages.length}
                onPage={(next) => refine({ offset: next || null })}
              />
            </>
          )}
        </Ready>
      </Panel>
    </>
  );
}

function Filters({ of }: { of: (name: string) => string }) {
  const set = (name: string) => (event: { currentTarget: { value: string } }) =>
    refine({ [name]: event.currentTarget.value || null, offset: null });
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()}>
      <Field label="Queue">
        <input name="queue" value={of("queue")} placeholder="any" spellcheck={false} onChange={set("queue")} />
      </Field>
      <Field label="Partition">
        <input
          name="partition"
          value={of("partition")}
          placeholder="any"
          spellcheck={false}
          onChange={set("partition")}
        />
      </Field>
      <Field label="State">
        <select name="status" value={of("status")} onChange={set("status")}>
          <option value="">any</option>
          {STATES.map((name) => (
            <option key={name} value={name}>
              {name.replace("_", " ")}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Pushed in">
        <select name="hours" value={of("hours")} onChange={set("hours")}>
          {SPANS.map(({ value, name }) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </Field>
    </form>
  );
}

function List({ messages }: { messages: readonly MessageElement[] }) {
  return (
    <Table
      label="Messages"
      rows={messages}
      rowKey={({ partitionId, id }) => `${partitionId}/${id}`}
      columns={[
        {
          name: "Transaction",
          cell: ({ partitionId, transactionId }) => (
            <a class="mono" href={href(["messages", partitionId, transactionId])}>
              {transactionId}
            </a>
          ),
        },
        { name: "Queue", cell: ({ queue }) => <a href={href(["queues", queue])}>{queue}</a> },
        { name: "Partition", minor: true, cell: ({ partition }) => partition },
        { name: "State", cell: ({ status }) => <Status of={status} /> },
        { name: "Pushed", number: true, minor: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
      ]}
    />
  );
}
