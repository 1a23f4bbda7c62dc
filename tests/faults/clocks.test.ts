/** Clocks that are moved, and a transaction that is held: the short form of the campaigns. */
import { testFaults } from "./campaign/short-form.ts";
import { CLOCK_FAULTS } from "./kinds/clocks.ts";

testFaults("clocks that are moved", CLOCK_FAULTS);
