/**
 * Verbs for those who watch.
 *
 * @module
 */

import { dashboardQueueDepths, dashboardSystemTotals } from "../engine/dashboard.ts";
import type { DashboardOperations } from "../protocol/events.ts";
import type { Verbs } from "./verb.ts";

/** See the module. */
export const dashboardVerbs: Verbs<keyof DashboardOperations> = {
  dashboardDepths: ({ context, params }) => dashboardQueueDepths(context, params),
  dashboardTotals: ({ context }) => dashboardSystemTotals(context),
};
