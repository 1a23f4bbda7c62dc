/**
 * Real flights of 2001, from the `vega-datasets` package, in order of their date.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";

/** One flight. Also the payload of one message, with its number. */
export interface Flight {
  /** Scheduled departure: `2001/01/01 00:47`. */
  date: string;
  /** Minutes late; negative when early. */
  delay: number;
  /** Miles. */
  distance: number;
  /** IATA code of the airport it leaves from. */
  origin: string;
  destination: string;
}

/** A source of flights that can be read from the beginning any number of times. */
export interface FlightSource {
  total: number;
  /** Reads all flights in order of date, a page at a time. */
  pages(): AsyncGenerator<Flight[]>;
}

const FOLDER = join(dirname(createRequire(import.meta.url).resolve("vega-datasets/package.json")), "data");
const PAGE_ROWS = 50_000;

/**
 * Opens the 20,000 flights of `flights-20k.json`.
 *
 * @returns The flights.
 * @throws {Error} when the file is not there.
 */
export async function twentyThousandFlights(): Promise<FlightSource> {
  const flights = JSON.parse(await readFile(join(FOLDER, "flights-20k.json"), "utf8")) as Flight[];
  flights.sort((a, b) => (a.date < b.date ? -1 : a.date > b.date ? 1 : 0));
  return {
    total: flights.length,
    pages: async function* () {
      yield flights;
    },
  };
}

/**
 * Opens the 3,000,000 flights of `flights-3m.parquet`, which are in order of date already.
 *
 * @returns The flights; only a page of them is in memory at a time.
 * @throws {Error} when the file is not there.
 */
export async function threeMillionFlights(): Promise<FlightSource> {
  const file = await asyncBufferFromFile(join(FOLDER, "flights-3m.parquet"));
  const total = Number((await parquetMetadataAsync(file)).num_rows);
  const compressors = { ZSTD: (bytes: Uint8Array) => new Uint8Array(zstdDecompressSync(bytes)) };
  return {
    total,
    pages: async function* () {
      for (let rowStart = 0; rowStart < total; rowStart += PAGE_ROWS) {
        const rowEnd = Math.min(total, rowStart + PAGE_ROWS);
        yield (await parquetReadObjects({ file, rowStart, rowEnd, compressors })).map(toFlight);
      }
    },
  };
}

function toFlight(row: Record<string, unknown>): Flight {
  const date = (row.date as Date).toISOString().slice(0, 16).replaceAll("-", "/").replace("T", " ");
  return {
    date,
    delay: Number(row.delay),
    distance: Number(row.distance),
    origin: String(row.origin),
    destination: String(row.destination),
  };
}
