/**
 * PostgreSQL: what its own statistics say of our tables.
 *
 * @module
 */
import { ago, bytes, duration, whole } from "../format.ts";
import { Badge, Figure, Figures, Panel, Table } from "../parts/layout.tsx";
import { Empty, Ready } from "../parts/states.tsx";
import { useResource } from "../resource.ts";

interface Statistics {
  database: string;
  databaseCache: { cacheHitRatio: number };
  cacheSummary: { tables: { hitRatio: number }; indexes: { hitRatio: number } };
  bufferConfig: { sharedBuffersSize: number | string };
  deadTuples: {
    table: string;
    deadTuples: number;
    liveTuples: number;
    deadPercentage: number;
    lastAutovacuum: string | null;
  }[];
  hotUpdates: { table: string; totalUpdates: number; hotUpdates: number; hotUpdatePercentage: number }[];
  activeQueries: { pid: number; duration: number; state: string | null; query: string; waitEvent: string | null }[];
  tableSizes: { table: string; totalSizeBytes: number; tableSizeBytes: number; indexSizeBytes: number }[];
}

const REFRESH_MS = 15_000;
const QUERY_LENGTH_MAX = 160;

/** The part of the page. */
export function Database() {
  const statistics = useResource<Statistics>("/api/v1/analytics/postgres-stats", REFRESH_MS);
  return (
    <Ready of={statistics} rows={8}>
      {(value) => (
        <>
          <Summary {...value} />
          <div class="columns">
            <Sizes {...value} />
            <Upkeep {...value} />
          </div>
          <Queries {...value} />
        </>
      )}
    </Ready>
  );
}

function Summary({ database, databaseCache, cacheSummary, bufferConfig, tableSizes }: Statistics) {
  const total = tableSizes.reduce((sum, { totalSizeBytes }) => sum + totalSizeBytes, 0);
  return (
    <Panel title="PostgreSQL" aside={<span class="faint">database {database}</span>}>
      <Figures>
        <Figure name="Size of our tables" value={bytes(total)} />
        <Figure name="Found in memory" value={`${databaseCache.cacheHitRatio} %`} note="of reads" />
        <Figure name="Tables" value={`${cacheSummary.tables.hitRatio} %`} note="in memory" />
        <Figure name="Indexes" value={`${cacheSummary.indexes.hitRatio} %`} note="in memory" />
        <Figure
          name="Shared buffers"
          value={
            typeof bufferConfig.sharedBuffersSize === "number"
              ? bytes(bufferConfig.sharedBuffersSize)
              : bufferConfig.sharedBuffersSize
          }
        />
      </Figures>
    </Panel>
  );
}

function Sizes({ tableSizes }: Statistics) {
  return (
    <Panel title="Table sizes" flush>
      <Table
        label="Table sizes"
        rows={tableSizes}
        rowKey={({ table }) => table}
        order="-Total"
        columns={[
          { name: "Table", by: ({ table }) => table, cell: ({ table }) => <span class="mono">{table}</span> },
          {
            name: "Data",
            number: true,
            minor: true,
            by: ({ tableSizeBytes }) => tableSizeBytes,
            cell: ({ tableSizeBytes }) => bytes(tableSizeBytes),
          },
          {
            name: "Indexes",
            number: true,
            minor: true,
            by: ({ indexSizeBytes }) => indexSizeBytes,
            cell: ({ indexSizeBytes }) => bytes(indexSizeBytes),
          },
          {
            name: "Total",
            number: true,
            by: ({ totalSizeBytes }) => totalSizeBytes,
            cell: ({ totalSizeBytes }) => bytes(totalSizeBytes),
          },
        ]}
      />
    </Panel>
  );
}

function Upkeep({ deadTuples, hotUpdates }: Statistics) {
  const hot = new Map(hotUpdates.map((each) => [each.table, each]));
  return (
    <Panel title="Upkeep" flush>
      {deadTuples.length === 0 ? (
        <Empty title="No dead rows" />
      ) : (
        <Table
          label="Dead rows and vacuum"
          rows={deadTuples}
          rowKey={({ table }) => table}
          order="-Dead rows"
          columns={[
            { name: "Table", by: ({ table }) => table, cell: ({ table }) => <span class="mono">{table}</span> },
            {
              name: "Dead rows",
              number: true,
              by: ({ deadTuples: count }) => count,
              cell: ({ deadTuples: count }) => whole(count),
            },
            {
              name: "In-page updates",
              number: true,
              minor: true,
              cell: ({ table }) => (hot.get(table)?.totalUpdates ? `${hot.get(table)!.hotUpdatePercentage} %` : "–"),
            },
            {
              name: "Vacuumed",
              number: true,
              cell: ({ lastAutovacuum }) => (lastAutovacuum === null ? "never" : ago(lastAutovacuum)),
            },
          ]}
        />
      )}
    </Panel>
  );
}

function Queries({ activeQueries }: Statistics) {
  return (
    <Panel title="Statements under way" flush>
      {activeQueries.length === 0 ? (
        <Empty title="None at the moment of asking" />
      ) : (
        <Table
          label="Statements under way"
          rows={activeQueries}
          rowKey={({ pid }) => String(pid)}
          columns={[
            { name: "Process", cell: ({ pid }) => pid },
            { name: "For", cell: ({ duration: seconds }) => duration(seconds * 1_000) },
            {
              name: "State",
              cell: ({ state }) => <Badge tone={state === "active" ? "busy" : "warn"}>{state ?? "unknown"}</Badge>,
            },
            { name: "Waits for", minor: true, cell: ({ waitEvent }) => waitEvent ?? "–" },
            { name: "Statement", cell: ({ query }) => <span class="mono">{query.slice(0, QUERY_LENGTH_MAX)}</span> },
          ]}
        />
      )}
    </Panel>
  );
}
