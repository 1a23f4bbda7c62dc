/**
 * Exactly once into PostgreSQL: delivery is at least once, so the consumer notes the ids of what it booked in its own
 * database, in the transaction that books. What is delivered again is recognised and skipped. Notes may be deleted when the
 * queue's retention has deleted their messages.
 *
 * Connects by DATABASE_URL, or by PGHOST and its siblings.
 */
import postgres from "postgres";

const server = process.env.QUEEN_URL ?? "http://localhost:6632";
const sql = postgres(process.env.DATABASE_URL ?? "", { max: 1, onnotice: () => {} });

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Payment = { id: string; partition: string; data: { amount: number } };

/** Books what was not booked before, all or nothing. @returns How many that were. */
const book = (payments: Payment[]): Promise<number> =>
  sql.begin(async (tx) => {
    let booked = 0;
    for (const { id, partition, data } of payments) {
      const noted = await tx`insert into example_booked (message_id) values (${id}) on conflict do nothing returning 1`;
      if (noted.length === 0) continue;
      await tx`insert into example_balances values (${partition}, ${data.amount})
        on conflict (account) do update set balance = example_balances.balance + excluded.balance`;
      booked++;
    }
    return booked;
  });

async function consume(dies: boolean): Promise<void> {
  const { messages, leaseId } = await call(
    "GET",
    "/api/v1/pop/queue/example-payments?batch=100&partitions=10&wait=true",
  );
  console.log(`${messages.length} delivered, ${await book(messages)} booked${dies ? ", then the consumer died" : ""}`);
  // Dying is to acknowledge nothing. Here the lease is given back, so that nobody has to wait until it runs out.
  await call("POST", `/api/v1/lease/${leaseId}/ack`, { status: dies ? "retry" : "completed" });
}

await call("DELETE", "/api/v1/resources/queues/example-payments");
await sql`drop table if exists example_booked, example_balances`;
await sql`create table example_booked (message_id uuid primary key, booked_at timestamptz not null default now())`;
await sql`create table example_balances (account text primary key, balance bigint not null)`;
const items = ["ada", "bob"].flatMap((partition) =>
  [1, 2, 3].map((amount) => ({ queue: "example-payments", partition, payload: { amount } })),
);
await call("POST", "/api/v1/push", { items });
await consume(true);
await consume(false);
for (const { account, balance } of await sql`select account, balance from example_balances order by account`)
  console.log(`${account}: ${balance}`);
await sql.end();
