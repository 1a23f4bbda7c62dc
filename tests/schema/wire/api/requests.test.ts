/**
 * The schemas that describe requests, held against the readers that check them: bodies made from good ones by changing
 * places of them, all single changes and many random ones.
 */
import { describe, expect, test } from "bun:test";
import type { TSchema } from "typebox";
import { Compile } from "typebox/schema";
import { readAckBatchRequest, readAckRequest } from "../../../../schema/wire/ack-request.ts";
import { readConfigure, readSeek, readSubscription, readTrace } from "../../../../schema/wire/admin-requests.ts";
import { AckBatchBody, AckBody, LeaseAckBody, LeaseExtendBody } from "../../../../schema/wire/api/acknowledge.ts";
import { SeekBody, SubscriptionBody } from "../../../../schema/wire/api/groups.ts";
import { MaintenanceBody } from "../../../../schema/wire/api/maintenance.ts";
import {
  OctoberAckBatchBody,
  OctoberAckBody,
  OctoberConfigureBody,
} from "../../../../schema/wire/api/october-shapes.ts";
import { OPERATIONS } from "../../../../schema/wire/api/operations.ts";
import { PushBody, TransactionBody } from "../../../../schema/wire/api/produce.ts";
import { ConfigureBody } from "../../../../schema/wire/api/queues.ts";
import { StreamCycleBody, StreamQueryBody, StreamStateBody } from "../../../../schema/wire/api/streams.ts";
import { TraceBody } from "../../../../schema/wire/api/traces.ts";
import { type DecodedBody, decodeBody } from "../../../../schema/wire/body.ts";
import { QueenError } from "../../../../schema/wire/errors.ts";
import { readLeaseAckRequest } from "../../../../schema/wire/lease-ack-request.ts";
import { readLeaseExtendRequest } from "../../../../schema/wire/lease-extend-request.ts";
import { readEnabled } from "../../../../schema/wire/maintenance-request.ts";
import { NotifyBody, readNotify } from "../../../../schema/wire/notify-request.ts";
import { readOctoberAck, readOctoberAckBatch, readOctoberConfigure } from "../../../../schema/wire/october/requests.ts";
import { readPushBody, readPushRequest } from "../../../../schema/wire/push-request.ts";
import { readStreamCycle, readStreamQuery, readStreamState } from "../../../../schema/wire/stream-requests.ts";
import { readTransactionRequest } from "../../../../schema/wire/transaction-request.ts";
import { toCbor } from "../../../support/http.ts";
import { Random } from "../../../support/random.ts";

/** Random bodies for each request. */
const ROUNDS = 1_500;
const UUID = "0198c2f0-1111-7222-8333-944444444444";

interface Request {
  name: string;
  schema: TSchema;
  read(body: DecodedBody): unknown;
  good: readonly unknown[];
  /** The reader also takes bodies that the schema does not promise to be taken, never the other way round. */
  lenient?: boolean;
  /** `[]` counts as `{}`. */
  listIsEmpty?: boolean;
}

const item = { queue: "q", partition: "p", payload: { n: [1] }, transactionId: "t", traceId: UUID };
const acknowledgment = { transactionId: "t", partitionId: UUID, status: "failed", leaseId: "l", error: "e" };
const REQUESTS: readonly Request[] = [
  {
    name: "push",
    schema: PushBody,
    read: readPushRequest,
    good: [{ items: [item] }, { items: [{ queue: "q" }, item] }],
  },
  {
    name: "push, the fast way",
    schema: PushBody,
    read: (body) =>
      readPushBody(body.text ?? (toCbor(body.value).slice().buffer as ArrayBuffer), body.text ? "json" : "cbor"),
    good: [{ items: [item] }, { items: [{ queue: "q" }, item] }],
  },
  { name: "ack", schema: AckBody, read: readAckRequest, good: [{ ...acknowledgment, consumerGroup: "g" }] },
  {
    name: "ack batch",
    schema: AckBatchBody,
    read: readAckBatchRequest,
    good: [{ acknowledgments: [acknowledgment, { transactionId: "u", partitionId: UUID }], consumerGroup: "g" }],
  },
  {
    name: "transaction",
    schema: TransactionBody,
    read: readTransactionRequest,
    good: [
      {
        operations: [
          { type: "push", items: [item] },
          { type: "ack", ...acknowledgment, consumerGroup: "g" },
        ],
      },
      { operations: [{ type: "push", ...item, data: 1 }, { type: "dance" }], requiredLeases: ["l"] },
    ],
  },
  {
    name: "lease ack",
    schema: LeaseAckBody,
    read: readLeaseAckRequest,
    good: [{ consumerGroup: "g", status: "failed", error: "e" }],
    listIsEmpty: true,
  },
  {
    name: "lease extend",
    schema: LeaseExtendBody,
    read: readLeaseExtendRequest,
    good: [{ seconds: 5 }],
    lenient: true,
  },
  {
    name: "configure",
    schema: ConfigureBody,
    read: readConfigure,
    good: [{ queue: "q", namespace: "n", task: "t", options: { leaseTime: 5, priority: -1, retentionEnabled: true } }],
    lenient: true,
  },
  {
    name: "subscription",
    schema: SubscriptionBody,
    read: readSubscription,
    good: [{ subscriptionTimestamp: "2026-05-16T10:00:00.123Z" }],
  },
  {
    name: "seek",
    schema: SeekBody,
    read: readSeek,
    good: [{ toEnd: true }, { timestamp: "2026-05-16", toEnd: false }],
  },
  {
    name: "trace",
    schema: TraceBody,
    read: readTrace,
    good: [
      {
        transactionId: "t",
        partitionId: UUID,
        data: { n: 1 },
        consumerGroup: "g",
        eventType: "e",
        traceNames: ["n", "m"],
      },
    ],
  },
  {
    name: "stream query",
    schema: StreamQueryBody,
    read: readStreamQuery,
    good: [{ name: "n", source_queue: "q", config_hash: "h", sink_queue: "s", reset: true }],
  },
  {
    name: "stream cycle",
    schema: StreamCycleBody,
    read: readStreamCycle,
    good: [
      {
        query_id: UUID,
        partition_id: UUID,
        consumer_group: "g",
        state_ops: [
          { type: "upsert", key: "k", value: { n: 1 } },
          { type: "delete", key: "l" },
        ],
        push_items: [item],
        ack: { transactionId: "t", leaseId: "l", status: "completed", error: "e", count: 2 },
        release_lease: false,
      },
    ],
    lenient: true,
  },
  {
    name: "stream state",
    schema: StreamStateBody,
    read: readStreamState,
    good: [{ query_id: UUID, partition_id: UUID, keys: ["a"], key_prefix: "b", ripe_at_or_before: 5 }],
  },
  {
    name: "notify",
    schema: NotifyBody,
    read: readNotify,
    good: [{ queue: "q", partition: "p" }],
  },
  { name: "maintenance", schema: MaintenanceBody, read: readEnabled, good: [{ enabled: true }] },
  {
    name: "October configure",
    schema: OctoberConfigureBody,
    read: readOctoberConfigure,
    good: [{ queue: "q", namespace: "n", task: "t", partition: "p", options: { leaseTime: 5, priority: 1 } }],
    lenient: true,
  },
  {
    name: "October ack",
    schema: OctoberAckBody,
    read: readOctoberAck,
    good: [{ transactionId: "t", status: "failed", error: "e", consumerGroup: "g" }],
  },
  {
    name: "October ack batch",
    schema: OctoberAckBatchBody,
    read: readOctoberAckBatch,
    good: [{ acknowledgments: [{ transactionId: "t", status: "completed" }], consumerGroup: "g" }],
  },
];

/** What is put in the place of something; `undefined` takes it away. */
const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  2 ** 31,
  "",
  "x",
  "5",
  "true",
  "completed",
  "push",
  "x".repeat(255),
  "x".repeat(256),
  "\u{1f451}",
  "a\0b",
  "\ud800",
  "2026-05-16",
  UUID,
  UUID.toUpperCase(),
  `${UUID} `,
  [],
  ["x"],
  [null],
  {},
  { queue: "q" },
];

type Path = readonly (string | number)[];

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [at];
  return [
    at,
    ...Object.entries(value).flatMap(([key, member]) =>
      pathsOf(member, [...at, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function changed(value: unknown, path: Path, to: unknown): unknown {
  if (path.length === 0) return to;
  if (typeof value !== "object" || value === null) return value;
  const [first, ...rest] = path;
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...value };
  copy[first!] = changed(copy[first!], rest, to);
  return copy;
}

function accepts(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof QueenError && error.status === 400) return false;
    throw error;
  }
}

/** The body as it would arrive: JSON drops what is undefined. */
function bodies(value: unknown): DecodedBody[] {
  const text = JSON.stringify(value) ?? "null";
  const plain: unknown = JSON.parse(text);
  // CBOR text is UTF-8, which has no lone surrogates.
  const cbor = text.includes("\\ud800") ? [] : [decodeBody(toCbor(plain).slice().buffer as ArrayBuffer, "cbor")];
  return [decodeBody(text, "json"), ...cbor];
}

describe.each(REQUESTS.map((request) => [request.name, request] as const))("the schema of %s", (_name, request) => {
  const validator = Compile(JSON.parse(JSON.stringify(request.schema)));
  let [agreed, taken] = [0, 0];

  function compare(value: unknown): void {
    for (const body of bodies(value)) {
      const emptyList = Array.isArray(body.value) && body.value.length === 0;
      const promised = validator.Check(body.value) || (request.listIsEmpty === true && emptyList);
      const read = accepts(() => request.read(body));
      if (read !== promised && !(request.lenient && read)) {
        const [, errors] = validator.Errors(body.value);
        throw new Error(
          `the reader ${read ? "takes" : "refuses"}, the schema ${promised ? "allows" : "forbids"} ${JSON.stringify(value).slice(0, 500)} as ${body.text === null ? "CBOR" : "JSON"} (${errors.map((error) => `${error.instancePath} ${error.message}`).join("; ")})`,
        );
      }
      agreed += 1;
      if (read) taken += 1;
    }
  }

  test("allows what the reader takes", () => {
    for (const good of request.good) {
      compare(good);
      expect(bodies(good).every((body) => validator.Check(body.value))).toBe(true);
      compare({ ...(good as object), somethingElse: 1 });
    }
  });

  test("agrees with the reader on every single change", () => {
    for (const good of request.good) {
      for (const path of pathsOf(good)) for (const to of VALUES) compare(changed(good, path, to));
    }
    expect(agreed).toBeGreaterThan(50);
    expect(taken).toBeGreaterThan(1);
    expect(taken).toBeLessThan(agreed);
  });

  test("agrees with the reader on random changes", () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = new Random(seed);
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        let value = random.pick(request.good);
        for (let change = random.int(1, 4); change > 0; change -= 1) {
          value = changed(value, random.pick(pathsOf(value)), random.pick(VALUES));
        }
        compare(value);
      }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  });
});

test("no documented request is missing here", () => {
  const here = new Set(REQUESTS.map((request) => JSON.stringify(request.schema)));
  const missing = OPERATIONS.filter(({ body }) => body && !here.has(JSON.stringify(body.schema))).map(({ id }) => id);
  expect(missing).toEqual([]);
});
