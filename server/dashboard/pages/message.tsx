/**
 * One message: its payload, what became of it for whom, what was noted about it, and what can be done with it.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { account, call, may, part } from "../api.ts";
import { groupName, moment } from "../format.ts";
import { Confirm } from "../parts/dialog.tsx";
import { Badge, Copyable, PageHead, Panel, Status, Table, Time } from "../parts/layout.tsx";
import { Payload } from "../parts/payload.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { attempt } from "../parts/toast.tsx";
import { useResource } from "../resource.ts";
import { go, href } from "../router.ts";
import type { MessageElement } from "../shapes.ts";
import { useStore } from "../store.ts";

interface Message extends MessageElement {
  payload: unknown;
  isEncrypted: boolean;
  traceId: string | null;
  producerSub: string | null;
  errorMessage: string | null;
  retryCount: number | null;
  leaseExpiresAt: string | null;
  consumerGroups: { name: string; consumed: boolean; leaseExpiresAt: string | null }[];
}

interface Trace {
  id: string;
  event_type: string;
  data: unknown;
  consumer_group: string | null;
  created_at: string;
  trace_names: string[] | null;
}

/** The page. */
export function MessagePage({ partitionId, transactionId }: { partitionId: string; transactionId: string }) {
  const path = `/api/v1/messages/${part(partitionId)}/${part(transactionId)}`;
  const message = useResource<Message>(path);
  const traces = useResource<{ traces: Trace[] }>(`/api/v1/traces/${part(partitionId)}/${part(transactionId)}`);
  const value = message.value;
  const above = (
    <>
      <a href={href(["messages"])}>Messages</a>
      {value && (
        <>
          {" / "}
          <a href={href(["queues", value.queue])}>{value.queue}</a>
          {" / "}
          <a href={href(["messages"], { queue: value.queue, partition: value.partition })}>{value.partition}</a>
        </>
      )}
    </>
  );
  return (
    <>
      <PageHead title={<span class="mono">{transactionId}</span>} above={above}>
        {value && <Actions path={path} message={value} onDone={message.reload} />}
      </PageHead>
      <Ready of={message}>
        {(found) => (
          <div class="columns uneven">
            <div class="stack wide">
              <Panel title="Payload">
                <Payload value={found.payload} />
              </Panel>
              <Panel title="Traces">
                <Ready of={traces} rows={3}>
                  {({ traces: events }) => <Timeline pushedAt={found.createdAt} events={events} />}
                </Ready>
              </Panel>
            </div>
            <div class="stack wide">
              <Facts message={found} />
              <Groups message={found} />
            </div>
          </div>
        )}
      </Ready>
    </>
  );
}

function Facts({ message }: { message: Message }) {
  const { status, errorMessage, retryCount, createdAt, leaseExpiresAt, traceId, producerSub, isEncrypted, id } =
    message;
  return (
    <Panel title="Message" aside={<Status of={status} />}>
      <dl class="facts">
        {errorMessage !== null && (
          <>
            <dt>Error</dt>
            <dd class="bad">{errorMessage}</dd>
            <dt>Failures</dt>
            <dd>{retryCount}</dd>
          </>
        )}
        <dt>Pushed</dt>
        <dd>
          {moment(createdAt)}{" "}
          <span class="faint">
            · <Time at={createdAt} />
          </span>
        </dd>
        <dt>Partition</dt>
        <dd>{message.partition}</dd>
        {leaseExpiresAt !== null && (
          <>
            <dt>Lease ends</dt>
            <dd>
              <Time at={leaseExpiresAt} />
            </dd>
          </>
        )}
        <dt>Message id</dt>
        <dd>
          <Copyable text={id} />
        </dd>
        {traceId !== null && (
          <>
            <dt>Trace id</dt>
            <dd>
              <Copyable text={traceId} />
            </dd>
          </>
        )}
        {producerSub !== null && (
          <>
            <dt>Producer</dt>
            <dd>{producerSub}</dd>
          </>
        )}
        <dt>At rest</dt>
        <dd>{isEncrypted ? "encrypted" : "in clear"}</dd>
      </dl>
    </Panel>
  );
}

function Groups({ message: { consumerGroups } }: { message: Message }) {
  return (
    <Panel title="Consumer groups" flush>
      {consumerGroups.length === 0 ? (
        <Empty title="No group consumes this queue" />
      ) : (
        <Table
          label="Consumer groups of the message"
          rows={consumerGroups}
          rowKey={({ name }) => name}
          columns={[
            { name: "Group", cell: ({ name }) => <a href={href(["groups", name])}>{groupName(name)}</a> },
            { name: "State", number: true, cell: (group) => <Progress {...group} /> },
          ]}
        />
      )}
    </Panel>
  );
}

function Progress({ consumed, leaseExpiresAt }: { consumed: boolean; leaseExpiresAt: string | null }) {
  if (consumed) return <Badge tone="good">done</Badge>;
  return leaseExpiresAt === null ? <Badge tone="calm">waiting</Badge> : <Badge tone="busy">leased</Badge>;
}

function Timeline({ pushedAt, events }: { pushedAt: string; events: readonly Trace[] }) {
  return (
    <ol class="timeline">
      <li>
        <strong>pushed</strong> <span class="faint">{moment(pushedAt)}</span>
      </li>
      {events.map((event) => (
        <li key={event.id}>
          <strong>{event.event_type}</strong>{" "}
          <span class="faint">
            {moment(event.created_at)}
            {event.consumer_group !== null && ` · ${groupName(event.consumer_group)}`}
          </span>
          {event.trace_names?.map((name) => (
            <Badge key={name} tone="calm">
              {name}
            </Badge>
          ))}
          <pre>{typeof event.data === "string" ? event.data : JSON.stringify(event.data, null, 1)}</pre>
        </li>
      ))}
    </ol>
  );
}

function Actions({ path, message, onDone }: { path: string; message: Message; onDone: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const who = useStore(account);
  if (!may("read-write", who)) return null;
  const run = async (work: () => Promise<unknown>, done: string) => {
    if (await attempt(work, done)) onDone();
  };
  const isDead = message.status === "dead_letter";
  return (
    <>
      {isDead ? (
        <button
          type="button"
          onClick={() => run(() => call(`${path}/retry`, { method: "POST" }), "It will be delivered again")}
        >
          Retry
        </button>
      ) : (
        <button
          type="button"
          onClick={() => run(() => call(`${path}/dlq`, { method: "POST" }), "It is a dead letter now")}
        >
          Move to dead letters
        </button>
      )}
      <button type="button" class="quiet-danger" onClick={() => setDeleting(true)}>
        Delete
      </button>
      {deleting && (
        <Confirm
          title="Delete message"
          action="Delete message"
          danger
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            const done = await attempt(() => call(path, { method: "DELETE" }), "The message was deleted");
            if (done) go(["messages"], { queue: message.queue });
            return done;
          }}
        >
          <p>No consumer group will get it any more. This cannot be undone.</p>
        </Confirm>
      )}
    </>
  );
}
