/**
 * What a route asks of whoever calls it.
 *
 * @module
 */

/** Least role a route is open to. Each includes those before it; `public` routes never look at a token. */
export type Role = "public" | "read-only" | "read-write" | "admin";

/** Rank of a token without a known role: below every route that asks for one. */
export const NO_RANK = 0;

/** Roles as numbers that can be compared. */
export const RANK: Readonly<Record<Role, number>> = {
  public: NO_RANK,
  "read-only": 1,
  "read-write": 2,
  admin: 3,
};
