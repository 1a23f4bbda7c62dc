/**
 * Verbs on the server as a whole.
 *
 * @module
 */

import { health } from "../engine/health.ts";
import type { SystemOperations } from "../protocol/system.ts";
import type { Verbs } from "./verb.ts";

/** See the module. */
export const systemVerbs: Verbs<keyof SystemOperations> = {
  health: ({ context }) => health(context),
};
