/**
 * What is wrong with a server after it was treated badly.
 *
 * @module
 */
import { Http } from "../support/http.ts";
import type { TestServer } from "../support/server.ts";

/** Events that nothing a client sends may cause. */
const FAULTS =
  /"event":"(request_failed|request_answered_500|worker_died|worker_stuck|job_failed|sweep_repaired|authentication_failed)"/;

/** @returns A line for each fault: workers that were replaced, events of the log. Empty when all is well. */
export async function faultsOf(server: TestServer): Promise<string[]> {
  const { status, json } = await new Http(server.url).get("/health");
  const faults = status === 200 ? [] : [`health is ${status}`];
  for (const { worker_id, restarts } of json.workers) {
    if (restarts > 0) faults.push(`worker ${worker_id} was replaced ${restarts} times`);
  }
  return [...faults, ...server.log.filter((line) => FAULTS.test(line))];
}
