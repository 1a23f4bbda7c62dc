/** What stands before every path of the October 2025 dialect. */
export const OCTOBER_PREFIX = "/2025-10";
