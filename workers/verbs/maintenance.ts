/**
 * Verbs of maintenance and of the spool. Worker 0 carries them out; another one that is asked in its absence has no answer.
 *
 * @module
 */

import { QueenError } from "../../schema/wire/errors.ts";
import { readEnabled } from "../../schema/wire/maintenance-request.ts";
import type { Engine } from "../engine/engine.ts";
import {
  bufferStatus,
  type Keepers,
  maintenanceGet,
  maintenanceSet,
  popMaintenanceGet,
  popMaintenanceSet,
  spoolAppend,
} from "../engine/maintenance.ts";
import type { MaintenanceOperations } from "../protocol/maintenance.ts";
import { bodyOf, type Verbs } from "./verb.ts";

/** @throws {@link QueenError} `OVERLOADED` in any worker but 0. */
function keepersOf({ flags, spooler }: Engine): Keepers {
  if (flags === null || spooler === null) throw new QueenError("OVERLOADED");
  return { flags, spooler };
}

/** See the module. */
export const maintenanceVerbs: Verbs<keyof MaintenanceOperations> = {
  maintenanceGet: ({ engine }) => maintenanceGet(keepersOf(engine)),
  maintenanceSet: async ({ engine, request }) => maintenanceSet(keepersOf(engine), readEnabled(bodyOf(request))),
  popMaintenanceGet: ({ engine }) => popMaintenanceGet(keepersOf(engine)),
  popMaintenanceSet: async ({ engine, request }) => popMaintenanceSet(keepersOf(engine), readEnabled(bodyOf(request))),
  bufferStatus: ({ engine, context }) => bufferStatus(engine, context.settings.index),
  spoolAppend: ({ engine, params, request }) => spoolAppend(keepersOf(engine), params, request.body as ArrayBuffer),
};
