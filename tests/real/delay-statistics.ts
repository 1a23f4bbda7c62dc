/**
 * Delays by airport. Sums are whole minutes, so the same flights give the same statistics in whatever order they come.
 *
 * @module
 */

import type { Flight } from "./flight-data.ts";

/** Of one airport, over its departures. */
export interface AirportDelays {
  flights: number;
  /** Minutes, early departures counting negative. */
  totalDelay: number;
  longestDelay: number;
  /** Departures more than a quarter of an hour late. */
  late: number;
}

/** By IATA code of the origin. */
export class DelayStatistics {
  readonly airports = new Map<string, AirportDelays>();

  /** Adds one flight. */
  add(flight: Flight): void {
    const airport = this.airports.get(flight.origin) ?? {
      flights: 0,
      totalDelay: 0,
      longestDelay: Number.NEGATIVE_INFINITY,
      late: 0,
    };
    airport.flights += 1;
    airport.totalDelay += flight.delay;
    airport.longestDelay = Math.max(airport.longestDelay, flight.delay);
    if (flight.delay > 15) airport.late += 1;
    this.airports.set(flight.origin, airport);
  }

  /** Names the airports whose figures differ from others. */
  differences(other: DelayStatistics): string[] {
    const codes = new Set([...this.airports.keys(), ...other.airports.keys()]);
    return [...codes].filter(
      (code) => JSON.stringify(this.airports.get(code)) !== JSON.stringify(other.airports.get(code)),
    );
  }

  /** The busiest airports, as lines of text. */
  busiest(count: number): string[] {
    const busiest = [...this.airports].sort(([, a], [, b]) => b.flights - a.flights).slice(0, count);
    return busiest.map(([code, { flights, totalDelay, longestDelay, late }]) => {
      const mean = (totalDelay / flights).toFixed(1);
      const share = ((late / flights) * 100).toFixed(0);
      return `${code}  ${String(flights).padStart(7)} flights  mean delay ${mean.padStart(5)} min  longest ${String(longestDelay).padStart(5)} min  late ${share.padStart(2)} %`;
    });
  }
}
