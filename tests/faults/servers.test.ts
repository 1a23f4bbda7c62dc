/** Servers that die: the short form of the campaigns. */
import { testFaults } from "./campaign/short-form.ts";
import { SERVER_FAULTS } from "./kinds/servers.ts";

testFaults("servers that die", SERVER_FAULTS);
