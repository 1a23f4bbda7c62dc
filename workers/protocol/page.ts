/**
 * A page of a listing.
 *
 * @module
 */

/** `limit` 1 or more, `offset` 0 or more. */
export interface PageParams {
  limit: number;
  offset: number;
}
