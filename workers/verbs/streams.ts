/**
 * Verbs of streaming queries.
 *
 * @module
 */

import { readStreamCycle, readStreamQuery, readStreamState } from "../../schema/wire/stream-requests.ts";
import { cycleDigest, streamCycle } from "../engine/stream-cycle.ts";
import { streamQueryRegister, streamStateGet } from "../engine/streams.ts";
import type { StreamOperations } from "../protocol/streams.ts";
import { bodyOf, type Verbs } from "./verb.ts";

/** See the module. */
export const streamVerbs: Verbs<keyof StreamOperations> = {
  streamQueryRegister: ({ context, request }) => streamQueryRegister(context, readStreamQuery(bodyOf(request))),
  streamCycle: ({ engine, context, request }) => {
    const cycle = readStreamCycle(bodyOf(request));
    if (cycle.pushItems.length > 0) engine.spooler?.refuseWhileBuffering();
    // Under one lease no two cycles are the same: the same one again is a repetition.
    const cycleId = cycle.ack?.leaseId ? cycleDigest(request.body!) : crypto.randomUUID();
    return streamCycle(context, engine, cycle, { cycleId, cbor: request.bodyFormat === "cbor" });
  },
  streamStateGet: ({ context, request }) => streamStateGet(context, readStreamState(bodyOf(request))),
};
