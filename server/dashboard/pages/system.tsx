/**
 * The machinery: workers, connections, memory, the buffer on disk, the switches of maintenance, PostgreSQL.
 *
 * @module
 */
import { useState } from "preact/hooks";
import { account, call, may } from "../api.ts";
import { bytes, duration, short, whole } from "../format.ts";
import { type LiveLook, look, points, SPAN_SECONDS } from "../live.ts";
import { Chart } from "../parts/chart.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Badge, Figure, Figures, PageHead, Panel, Table } from "../parts/layout.tsx";
import { Loading, Ready } from "../parts/states.tsx";
import { attempt } from "../parts/toast.tsx";
import { useResource } from "../resource.ts";
import { useStore } from "../store.ts";
import { Database } from "./database.tsx";

/** The page. */
export function SystemPage() {
  const live = useStore(look);
  const who = useStore(account);
  return (
    <>
      <PageHead title="System" />
      {live === null ? (
        <Loading />
      ) : (
        <>
          <Facts live={live} />
          <Charts />
          <div class="columns">
            <Workers live={live} />
            <Lanes live={live} />
          </div>
        </>
      )}
      <div class="columns">
        <Buffer />
        {may("admin", who) && <Maintenance />}
      </div>
      <Database />
    </>
  );
}

interface Health {
  status: string;
  version: string;
  database: string;
  shared_state: { server_health: { servers_alive: number } };
}

function Facts({ live }: { live: LiveLook }) {
  const health = useResource<Health>("/health");
  const point = useStore(points).at(-1);
  return (
    <Figures>
      <Figure
        name="Health"
        value={
          <Badge tone={health.value?.status === "healthy" ? "good" : "bad"}>
            {health.value?.status ?? health.error?.message ?? "asking"}
          </Badge>
        }
      />
      <Figure name="Version" value={health.value?.version ?? "–"} />
      <Figure name="Up" value={duration(live.uptimeSeconds * 1_000)} />
      <Figure name="Memory" value={bytes(live.process.rssBytes)} />
      <Figure name="Processor" value={`${(point?.cpu ?? 0).toFixed(0)} %`} note="of one core" />
      <Figure
        name="Other instances"
        value={whole(health.value?.shared_state.server_health.servers_alive ?? 0)}
        note="alive"
      />
    </Figures>
  );
}

function Charts() {
  const live = useStore(points);
  const at = live.map((point) => point.at);
  return (
    <div class="columns three">
      <Panel title="Processor" aside={<span class="faint">% of one core</span>}>
        <Chart
          label="Processor time"
          at={at}
          spanSeconds={SPAN_SECONDS}
          height={130}
          series={[{ name: "Used", color: "push", values: live.map(({ cpu }) => cpu), fill: true }]}
          format={(value) => `${short(value)} %`}
        />
      </Panel>
      <Panel title="Memory" aside={<span class="faint">resident</span>}>
        <Chart
          label="Memory"
          at={at}
          spanSeconds={SPAN_SECONDS}
          height={130}
          series={[{ name: "Resident", color: "pop", values: live.map(({ rssBytes }) => rssBytes), fill: true }]}
          format={bytes}
        />
      </Panel>
      <Panel title="Event loop" aside={<span class="faint">largest lateness of a worker</span>}>
        <Chart
          label="Lateness of the event loop"
          at={at}
          spanSeconds={SPAN_SECONDS}
          height={130}
          series={[{ name: "Late", color: "ack", values: live.map(({ loopLagMs }) => loopLagMs), fill: true }]}
          format={duration}
        />
      </Panel>
    </div>
  );
}

function Workers({ live }: { live: LiveLook }) {
  return (
    <Panel title="Workers" flush>
      <Table
        label="Workers"
        rows={live.workers}
        rowKey={({ workerId }) => String(workerId)}
        columns={[
          { name: "Worker", cell: ({ workerId }) => workerId },
          { name: "State", cell: ({ state }) => <Badge tone={state === "ready" ? "good" : "bad"}>{state}</Badge> },
          { name: "Requests", number: true, cell: ({ requests }) => whole(requests) },
          { name: "Waiting pops", number: true, cell: ({ parked }) => whole(parked) },
          { name: "Loop late", number: true, minor: true, cell: ({ loopLagMaxMs }) => duration(loopLagMaxMs) },
          { name: "Restarts", number: true, cell: ({ restarts }) => whole(restarts) },
        ]}
      />
    </Panel>
  );
}

function Lanes({ live }: { live: LiveLook }) {
  const byName = new Map<string, { lane: string; connectionsMax: number; inUse: number; waiting: number }>();
  for (const lane of live.workers.flatMap(({ lanes }) => lanes)) {
    const sum = byName.get(lane.lane) ?? { lane: lane.lane, connectionsMax: 0, inUse: 0, waiting: 0 };
    sum.connectionsMax += lane.connectionsMax;
    sum.inUse += lane.inUse;
    sum.waiting += lane.waiting;
    byName.set(lane.lane, sum);
  }
  return (
    <Panel title="Connections" flush aside={<span class="faint">of all workers</span>}>
      <Table
        label="Connections by lane"
        rows={[...byName.values()]}
        rowKey={({ lane }) => lane}
        columns={[
          { name: "Lane", cell: ({ lane }) => lane },
          { name: "In use", number: true, cell: ({ inUse }) => whole(inUse) },
          { name: "At most", number: true, cell: ({ connectionsMax }) => whole(connectionsMax) },
          { name: "Waiting", number: true, cell: ({ waiting }) => whole(waiting) },
        ]}
      />
    </Panel>
  );
}

function Buffer() {
  const buffer = useResource<{ pending: number; failed: number; dbHealthy: boolean }>("/api/v1/status/buffers");
  return (
    <Panel title="Buffer on disk" aside={<span class="faint">pushes the database did not take yet</span>}>
      <Ready of={buffer} rows={2}>
        {({ pending, failed, dbHealthy }) => (
          <Figures>
            <Figure name="Waiting" value={whole(pending)} note="messages" tone={pending > 0 ? "warn" : undefined} />
            <Figure name="Refused" value={whole(failed)} note="set aside" tone={failed > 0 ? "bad" : undefined} />
            <Figure
              name="Database"
              value={<Badge tone={dbHealthy ? "good" : "bad"}>{dbHealthy ? "takes pushes" : "away"}</Badge>}
            />
          </Figures>
        )}
      </Ready>
    </Panel>
  );
}

interface MaintenanceState {
  maintenanceMode: boolean;
  popMaintenanceMode: boolean;
}

function Maintenance() {
  const state = useResource<MaintenanceState>("/api/v1/system/maintenance");
  const [asked, setAsked] = useState<"push" | "pop" | null>(null);
  const turn = async (which: "push" | "pop", enabled: boolean) => {
    const path = which === "push" ? "/api/v1/system/maintenance" : "/api/v1/system/maintenance/pop";
    const done = await attempt(
      () => call(path, { method: "POST", body: { enabled } }),
      `${which === "push" ? "Pushes" : "Pops"} are ${enabled ? "held back" : "let through"}`,
    );
    if (done) state.reload();
    return done;
  };
  return (
    <Panel title="Maintenance" aside={<span class="faint">on all instances</span>}>
      <Ready of={state} rows={2}>
        {({ maintenanceMode, popMaintenanceMode }) => (
          <>
            <Switch
              name="Hold pushes back"
              note="They are kept on disk, and stored when this is off."
              on={maintenanceMode}
              onTurn={() => (maintenanceMode ? void turn("push", false) : setAsked("push"))}
            />
            <Switch
              name="Hold pops back"
              note="Every pop is answered empty."
              on={popMaintenanceMode}
              onTurn={() => (popMaintenanceMode ? void turn("pop", false) : setAsked("pop"))}
            />
          </>
        )}
      </Ready>
      {asked !== null && (
        <Confirm
          title={asked === "push" ? "Hold pushes back" : "Hold pops back"}
          action="Hold back"
          danger
          onConfirm={() => turn(asked, true)}
          onClose={() => setAsked(null)}
        >
          <p>
            {asked === "push"
              ? "Pushes of all clients go to the disk instead of the database until this is switched off."
              : "Consumers of all queues get nothing until this is switched off."}
          </p>
        </Confirm>
      )}
    </Panel>
  );
}

function Switch({ name, note, on, onTurn }: { name: string; note: string; on: boolean; onTurn: () => void }) {
  return (
    <div class="switch">
      <div>
        <strong>{name}</strong>
        <div class="faint">{note}</div>
      </div>
      <button type="button" role="switch" class="toggle" aria-checked={on} aria-label={name} onClick={onTurn}>
        {on ? "On" : "Off"}
      </button>
    </div>
  );
}
