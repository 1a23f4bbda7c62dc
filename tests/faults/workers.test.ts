/** Workers that fail: the short form of the campaigns. */
import { testFaults } from "./campaign/short-form.ts";
import { WORKER_FAULTS } from "./kinds/workers.ts";

testFaults("workers that fail", WORKER_FAULTS);
