/** The primary dies under load and its standby is promoted: the short form. */
import { testFaults } from "./campaign/short-form.ts";
import { FAILOVER_FAULTS } from "./kinds/failover.ts";

testFaults(
  "failover",
  FAILOVER_FAULTS.filter(({ name }) => name === "failover"),
);
