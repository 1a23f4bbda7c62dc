/**
 * How everything is at a glance.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { query } from "../api.ts";
import { bytes, duration, plural, short, steps, whole } from "../format.ts";
import { type LivePoint, look, points, SPAN_SECONDS } from "../live.ts";
import { Chart, type Series } from "../parts/chart.tsx";
import { Badge, Choice, Figure, Figures, PageHead, Panel } from "../parts/layout.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { href } from "../router.ts";
import { useStore } from "../store.ts";
import { LaggingGroups, TopQueues } from "./overview-tables.tsx";

interface Overview {
  queues: number;
  partitions: number;
  messages: { total: number; pending: number; processing: number; deadLetter: number };
  lag: { time: { avg: number; median: number; max: number } };
}

interface Throughput {
  timestamp: string;
  ingestedPerSecond: number;
  popPerSecond: number;
  processedPerSecond: number;
  avgLagMs: number;
  maxLagMs: number;
  dbErrors: number;
  ackFailed: number;
}

const RANGES = [
  { name: "Live", value: 0 },
  { name: "1 h", value: 1 },
  { name: "6 h", value: 6 },
  { name: "24 h", value: 24 },
  { name: "7 d", value: 168 },
] as const;
const RECENT = 5;
const HOUR_MS = 3_600_000;
/** History is read on the minute it is kept by. */
const HISTORY_MS = 15_000;

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function lastOf(recent: readonly LivePoint[], of: (point: LivePoint) => number | null): string {
  const value = recent.map(of).findLast((each) => each !== null);
  return value == null ? "–" : duration(value);
}

/** The page. */
export function OverviewPage() {
  const overview = useResource<Overview>("/api/v1/resources/overview");
  const [hours, setHours] = useState<number>(0);
  return (
    <>
      <PageHead title="Overview">
        <Choice label="Time shown" value={hours} options={RANGES} onChoose={setHours} />
      </PageHead>
      <Rates />
      <Ready of={overview} rows={2}>
        {(value) => <Totals {...value} />}
      </Ready>
      {hours === 0 ? <LiveCharts /> : <History hours={hours} />}
      <div class="columns">
        <TopQueues />
        <LaggingGroups />
      </div>
      <Glance />
    </>
  );
}

function Rates() {
  const recent = useStore(points).slice(-RECENT);
  const rate = (of: (point: LivePoint) => number) => short(mean(recent.map(of)));
  const errors = mean(recent.map(({ errors: value }) => value));
  return (
    <Figures>
      <Figure name="Push" value={rate(({ push }) => push)} note="msg/s" />
      <Figure name="Pop" value={rate(({ pop }) => pop)} note="msg/s" />
      <Figure name="Ack" value={rate(({ ack }) => ack)} note="msg/s" />
      <Figure name="Push latency" value={lastOf(recent, ({ pushMs }) => pushMs)} note="median" />
      <Figure name="Age at delivery" value={lastOf(recent, ({ lagMs }) => lagMs)} note="mean" />
      <Figure name="Errors" value={short(errors)} note="a second" tone={errors > 0 ? "bad" : undefined} />
    </Figures>
  );
}

function Totals({ queues, partitions, messages, lag }: Overview) {
  return (
    <Figures>
      <Figure name="Pending" value={whole(messages.pending)} note="messages" />
      <Figure name="Processing" value={whole(messages.processing)} note="messages" />
      <Figure
        name="Dead letters"
        value={<a href={href(["dead-letters"])}>{whole(messages.deadLetter)}</a>}
        tone={messages.deadLetter > 0 ? "warn" : undefined}
      />
      <Figure
        name="Largest lag"
        value={duration(lag.time.max * 1_000)}
        note={`median ${duration(lag.time.median * 1_000)}`}
      />
      <Figure name="Stored" value={whole(messages.total)} note="messages" />
      <Figure name="Queues" value={whole(queues)} note={plural(partitions, "partition")} />
    </Figures>
  );
}

function rates(push: Series["values"], pop: Series["values"], ack: Series["values"]): Series[] {
  return [
    { name: "Push", color: "push", values: push, fill: true },
    { name: "Pop", color: "pop", values: pop },
    { name: "Ack", color: "ack", values: ack },
  ];
}

function LiveCharts() {
  const live = useStore(points);
  const at = live.map((point) => point.at);
  const of = <Key extends keyof LivePoint>(key: Key) => live.map((point) => point[key]);
  return (
    <>
      <Panel title="Messages a second" aside={<span class="faint">this instance, by the second</span>}>
        <Chart
          label="Messages pushed, popped and acknowledged a second"
          at={at}
          spanSeconds={SPAN_SECONDS}
          series={rates(of("push"), of("pop"), of("ack"))}
          format={short}
        />
      </Panel>
      <div class="columns">
        <Panel title="Request latency" aside={<span class="faint">median</span>}>
          <Chart
            label="Median latency of pushes, pops and acknowledgements"
            at={at}
            spanSeconds={SPAN_SECONDS}
            height={150}
            series={[
              { name: "Push", color: "push", values: of("pushMs") },
              { name: "Pop", color: "pop", values: of("popMs") },
              { name: "Ack", color: "ack", values: of("ackMs") },
            ]}
            format={duration}
          />
        </Panel>
        <Panel title="Age at delivery" aside={<span class="faint">mean</span>}>
          <Chart
            label="Mean age of messages when they were popped"
            at={at}
            spanSeconds={SPAN_SECONDS}
            height={150}
            series={[{ name: "Age", color: "lag", values: of("lagMs"), fill: true }]}
            format={duration}
          />
        </Panel>
      </div>
    </>
  );
}

function History({ hours }: { hours: number }) {
  // Rounded, so that the address stays the same from one drawing to the next.
  const from = new Date(Math.floor(Date.now() / 60_000) * 60_000 - hours * HOUR_MS).toISOString();
  const status = useResource<{ throughput: Throughput[]; bucketMinutes: number }>(
    `/api/v1/status${query({ from })}`,
    HISTORY_MS,
  );
  return (
    <Ready of={status} rows={5}>
      {({ throughput, bucketMinutes }) => {
        const rows = throughput.toReversed();
        if (rows.length === 0) return <Empty title="Nothing was measured in this time" />;
        const at = rows.map(({ timestamp }) => Date.parse(timestamp) / 1_000);
        const of = (key: keyof Throughput) => rows.map((row) => row[key] as number);
        return (
          <>
            <Panel title="Messages a second" aside={<span class="faint">all instances, {steps(bucketMinutes)}</span>}>
              <Chart
                label="Messages pushed, popped and processed a second"
                at={at}
                series={rates(of("ingestedPerSecond"), of("popPerSecond"), of("processedPerSecond"))}
                format={short}
              />
            </Panel>
            <div class="columns">
              <Panel title="Errors" aside={<span class="faint">{steps(bucketMinutes)}</span>}>
                <Chart
                  label="Database errors and failed acknowledgements"
                  at={at}
                  height={150}
                  series={[
                    { name: "Database errors", color: "bad", values: of("dbErrors") },
                    { name: "Failed acks", color: "warn", values: of("ackFailed") },
                  ]}
                  format={short}
                />
              </Panel>
              <Panel title="Age at delivery">
                <Chart
                  label="Mean and largest age of messages when they were popped"
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
          </>
        );
      }}
    </Ready>
  );
}

interface Health {
  status: string;
  database: string;
  version: string;
}

function Glance() {
  const live = useStore(look);
  const cpu = mean(
    useStore(points)
      .slice(-RECENT)
      .map((point) => point.cpu),
  );
  const health = useResource<Health>("/health");
  if (live === null) return null;
  const lanes = live.workers.flatMap((worker) => worker.lanes);
  const inUse = lanes.reduce((sum, lane) => sum + lane.inUse, 0);
  const most = lanes.reduce((sum, lane) => sum + lane.connectionsMax, 0);
  const running = live.workers.filter(({ state }) => state === "ready").length;
  const parked = live.workers.reduce((sum, worker) => sum + worker.parked, 0);
  const connected = health.value?.database === "connected";
  return (
    <Panel title="Server" aside={<a href={href(["system"])}>System</a>}>
      <Figures>
        <Figure
          name="Database"
          value={
            <Badge tone={connected ? "good" : health.error || health.value ? "bad" : "calm"}>
              {health.value?.database ?? (health.error ? "unreachable" : "asking")}
            </Badge>
          }
        />
        <Figure name="Workers" value={`${running} of ${live.workers.length}`} note="ready" />
        <Figure name="Connections" value={`${inUse} of ${most}`} note="in use" />
        <Figure name="Waiting pops" value={whole(parked)} />
        <Figure name="Processor" value={`${cpu.toFixed(0)} %`} note="of one core" />
        <Figure
          name="Memory"
          value={bytes(live.process.rssBytes)}
          note={`up ${duration(live.uptimeSeconds * 1_000)}`}
        />
      </Figures>
    </Panel>
  );
}
