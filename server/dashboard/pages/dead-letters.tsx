/**
 * Dead letters: by error, one by one or all that match redriven, deleted, exported.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { account, call, may, part, query } from "../api.ts";
import { type DeadLetterFilter, type DeadLetterPage, listing, readAll } from "../dead-letter-work.ts";
import { groupName, plural, whole } from "../format.ts";
import { Field, PageHead, Pager, Panel, Table, Time } from "../parts/layout.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { attempt } from "../parts/toast.tsx";
import { type Resource, useResource } from "../resource.ts";
import { href, place, refine } from "../router.ts";
import type { DeadLetter } from "../shapes.ts";
import { useStore } from "../store.ts";
import { type Job, WorkDialog } from "./dead-letter-dialog.tsx";

interface ErrorGroup {
  errorMessage: string;
  messages: number;
  queues: number;
  lastFailedAt: string;
}

const PAGE = 50;
const EXPORT_MAX = 10_000;
/** Longer errors do not fit an address. */
const FILTER_LENGTH_MAX = 1_500;

/** The page. */
export function DeadLettersPage() {
  const { search } = useStore(place);
  const filter: DeadLetterFilter = {
    queue: search.get("queue") ?? "",
    consumerGroup: search.get("consumerGroup") ?? "",
    error: search.get("error") ?? "",
  };
  const offset = Number(search.get("offset") ?? 0);
  const list = useResource<DeadLetterPage>(listing(filter, { limit: PAGE, offset }));
  const errors = useResource<{ errors: ErrorGroup[] }>(
    `/api/v1/dlq/errors${query({ queue: filter.queue, consumerGroup: filter.consumerGroup, limit: 20 })}`,
  );
  const [job, setJob] = useState<Job | null>(null);
  const [chosen, setChosen] = useState<ReadonlyMap<string, DeadLetter>>(new Map());
  const finish = () => {
    setJob(null);
    setChosen(new Map());
    list.reload();
    errors.reload();
  };
  return (
    <>
      <PageHead title="Dead letters">
        <Actions filter={filter} total={list.value?.total ?? 0} onJob={setJob} />
      </PageHead>
      <Errors errors={errors} chosen={filter.error} />
      <Panel flush>
        <Filters filter={filter} />
        {chosen.size > 0 && <Chosen chosen={chosen} onJob={setJob} onClear={() => setChosen(new Map())} />}
        <Ready of={list}>
          {({ messages, total }) => (
            <>
              {messages.length === 0 ? (
                <Empty title="No dead letters">
                  Messages that fail more often than their queue's retry limit come here.
                </Empty>
              ) : (
                <List messages={messages} chosen={chosen} onChoose={setChosen} onRetried={finish} />
              )}
              <Pager
                offset={offset}
                limit={PAGE}
                shown={messages.length}
                total={total}
                onPage={(next) => refine({ offset: next || null })}
              />
            </>
          )}
        </Ready>
      </Panel>
      {job !== null && <WorkDialog job={job} filter={filter} onClose={finish} />}
    </>
  );
}

function Actions(props: { filter: DeadLetterFilter; total: number; onJob: (job: Job) => void }) {
  const { filter, total, onJob } = props;
  const who = useStore(account);
  if (total === 0) return null;
  return (
    <>
      <button type="button" onClick={() => attempt(() => exportLetters(filter), "The file was made")}>
        Export
      </button>
      {may("read-write", who) && (
        <>
          <button type="button" onClick={() => onJob({ deed: "retry", letters: null, total })}>
            Redrive all {whole(total)}
          </button>
          <button type="button" class="quiet-danger" onClick={() => onJob({ deed: "delete", letters: null, total })}>
            Delete all
          </button>
        </>
      )}
    </>
  );
}

/** Has the browser save what matches, a line of JSON for each. */
async function exportLetters(filter: DeadLetterFilter): Promise<void> {
  const letters = await readAll(filter, EXPORT_MAX);
  const text = letters.map((letter) => `${JSON.stringify(letter)}\n`).join("");
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `dead-letters-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.ndjson`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function Errors({ errors, chosen }: { errors: Resource<{ errors: ErrorGroup[] }>; chosen: string }) {
  const choose = (error: string) => refine({ error: error === chosen ? null : error, offset: null });
  return (
    <Panel title="By error" flush>
      <Ready of={errors} rows={3}>
        {({ errors: groups }) =>
          groups.length === 0 ? (
            <Empty title="Nothing has failed for good" />
          ) : (
            <Table
              label="Dead letters by error"
              rows={groups}
              rowKey={({ errorMessage }) => errorMessage}
              columns={[
                {
                  name: "Error",
                  cell: ({ errorMessage }) => (
                    <button
                      type="button"
                      class="link"
                      aria-pressed={chosen === errorMessage}
                      disabled={errorMessage.length > FILTER_LENGTH_MAX}
                      onClick={() => choose(errorMessage)}
                    >
                      {errorMessage || "(no text)"}
                    </button>
                  ),
                },
                { name: "Queues", number: true, minor: true, cell: ({ queues }) => whole(queues) },
                { name: "Messages", number: true, cell: ({ messages }) => whole(messages) },
                { name: "Latest", number: true, cell: ({ lastFailedAt }) => <Time at={lastFailedAt} /> },
              ]}
            />
          )
        }
      </Ready>
    </Panel>
  );
}

function Filters({ filter }: { filter: DeadLetterFilter }) {
  const set = (name: string) => (event: { currentTarget: { value: string } }) =>
    refine({ [name]: event.currentTarget.value || null, offset: null });
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()}>
      <Field label="Queue">
        <input name="queue" value={filter.queue} placeholder="any" spellcheck={false} onChange={set("queue")} />
      </Field>
      <Field label="Consumer group">
        <input
          name="consumerGroup"
          value={filter.consumerGroup}
          placeholder="any"
          spellcheck={false}
          onChange={set("consumerGroup")}
        />
      </Field>
      {filter.error !== "" && (
        <div class="field">
          <span class="label">Error</span>
          <button
            type="button"
            class="clip chip"
            title={filter.error}
            onClick={() => refine({ error: null, offset: null })}
          >
            {filter.error} ×
          </button>
        </div>
      )}
    </form>
  );
}

function Chosen(props: { chosen: ReadonlyMap<string, DeadLetter>; onJob: (job: Job) => void; onClear: () => void }) {
  const letters = [...props.chosen.values()];
  return (
    <div class="bar chosen">
      <strong>{plural(letters.length, "message")} chosen</strong>
      <button
        type="button"
        class="small"
        onClick={() => props.onJob({ deed: "retry", letters, total: letters.length })}
      >
        Redrive
      </button>
      <button
        type="button"
        class="small quiet-danger"
        onClick={() => props.onJob({ deed: "delete", letters, total: letters.length })}
      >
        Delete
      </button>
      <button type="button" class="small ghost" onClick={props.onClear}>
        Choose none
      </button>
    </div>
  );
}

const keyOf = ({ partitionId, transactionId, consumerGroup }: DeadLetter) =>
  `${partitionId}/${transactionId}/${consumerGroup}`;

function List(props: {
  messages: readonly DeadLetter[];
  chosen: ReadonlyMap<string, DeadLetter>;
  onChoose: (chosen: ReadonlyMap<string, DeadLetter>) => void;
  onRetried: () => void;
}) {
  const { messages, chosen, onChoose, onRetried } = props;
  const who = useStore(account);
  const toggle = (letter: DeadLetter) => {
    const next = new Map(chosen);
    if (!next.delete(keyOf(letter))) next.set(keyOf(letter), letter);
    onChoose(next);
  };
  const retry = async (letter: DeadLetter) => {
    const path = `/api/v1/messages/${part(letter.partitionId)}/${part(letter.transactionId)}/retry`;
    if (await attempt(() => call(path, { method: "POST" }), "It will be delivered again")) onRetried();
  };
  const choice = {
    name: "",
    tight: true,
    cell: (letter: DeadLetter) => (
      <input
        type="checkbox"
        aria-label={`Choose ${letter.transactionId}`}
        checked={chosen.has(keyOf(letter))}
        onChange={() => toggle(letter)}
      />
    ),
  };
  return (
    <Table
      label="Dead letters"
      rows={messages}
      rowKey={keyOf}
      columns={[
        ...(may("read-write", who) ? [choice] : []),
        {
          name: "Message",
          cell: ({ partitionId, transactionId, errorMessage, queue, partition }) => (
            <>
              <a class="mono" href={href(["messages", partitionId, transactionId])}>
                {transactionId}
              </a>
              <div class="faint">{errorMessage}</div>
              <div class="faint narrow">
                {queue} / {partition}
              </div>
            </>
          ),
        },
        { name: "Queue", minor: true, cell: ({ queue, partition }) => `${queue} / ${partition}` },
        { name: "Group", minor: true, cell: ({ consumerGroup }) => groupName(consumerGroup) },
        { name: "Failures", number: true, minor: true, cell: ({ retryCount }) => whole(retryCount) },
        { name: "Failed", number: true, minor: true, cell: ({ failedAt }) => <Time at={failedAt} /> },
        ...(may("read-write", who)
          ? [
              {
                name: " ",
                number: true,
                tight: true,
                cell: (letter: DeadLetter) => (
                  <button type="button" class="small" onClick={() => retry(letter)}>
                    Redrive
                  </button>
                ),
              },
            ]
          : []),
      ]}
    />
  );
}
