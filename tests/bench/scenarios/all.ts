/** Every scenario, in the order of the design's table. */

import type { Scenario } from "../scenario.ts";
import { disk } from "./disk.ts";
import { groups } from "./groups.ts";
import { heldTransaction } from "./held-transaction.ts";
import { longPoll } from "./long-poll.ts";
import { parked } from "./parked.ts";
import { plan } from "./plan.ts";
import { popScenarios } from "./pop.ts";
import { popAckScenarios } from "./pop-ack.ts";
import { pushScenarios } from "./push.ts";
import { slowReaders } from "./slow-readers.ts";
import { wholeLife } from "./whole-life.ts";
import { wildcard } from "./wildcard.ts";

/** See the module. */
export const allScenarios: Scenario[] = [
  ...pushScenarios,
  ...popScenarios,
  ...popAckScenarios,
  wholeLife,
  slowReaders,
  longPoll,
  groups,
  wildcard,
  parked,
  disk,
  heldTransaction,
  plan,
];
