/**
 * Queues with counted messages, for tests of listings.
 *
 * @module
 */
import { expect } from "bun:test";
import { type Api, query } from "./api.ts";
import { uniqueName } from "./names.ts";

/** Partitions come in the order of their ids, which is not that of their making when several connections make them. */
export function byName<Row extends { name: string }>(rows: Row[]): Row[] {
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The six counts, `failed` being 0. */
export function six(total: number, pending: number, processing: number, completed: number, deadLetter: number) {
  return { total, pending, processing, completed, failed: 0, deadLetter };
}

/** What a server has, as its listings tell. */
export class Stock {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** @returns The body of a 200. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what tests assert.
  async get(path: string, params: object = {}): Promise<any> {
    const answer = await this.#api.http.get(`/api/v1/${path}${query(params)}`);
    expect(answer.status).toBe(200);
    return answer.json;
  }

  /** Makes a queue, in a namespace and task of its own unless they are given. */
  async queue(names = { namespace: uniqueName("ns"), task: uniqueName("tk") }) {
    const queue = uniqueName("stock");
    await this.#api.configure(queue, {}, names);
    return { queue, ...names };
  }

  /** @returns The counts of one partition. */
  async countsOf(queue: string, partition: string): Promise<ReturnType<typeof six>> {
    const { partitions } = await this.get(`resources/queues/${queue}`);
    return partitions.find((row: { name: string }) => row.name === partition).stats;
  }
}
