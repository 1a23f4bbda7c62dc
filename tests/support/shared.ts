/**
 * What a test file calls first to use the server that the run shares.
 *
 * @module
 */
import { beforeAll, setDefaultTimeout } from "bun:test";
import { Api } from "./api.ts";
import { Http } from "./http.ts";
import { sharedServer } from "./server.ts";

/** Longest a test may take, in milliseconds; bun knows no such setting for all files at once. */
const TEST_TIMEOUT_MS = 60_000;

/**
 * Starts the shared server before the tests of the calling file, unless it runs already. To be called at the top level.
 *
 * @returns Calls on that server, usable from within tests.
 */
export function useSharedServer(): Api {
  setDefaultTimeout(TEST_TIMEOUT_MS);
  const http = new Http("");
  beforeAll(async () => {
    http.url = (await sharedServer()).url;
  });
  return new Api(http);
}
