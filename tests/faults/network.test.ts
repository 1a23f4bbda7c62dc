/** Connections that are cut, held, forgotten and slow, under load: the short form of these faults. */
import { medley } from "./campaign/medley.ts";
import { testFaults } from "./campaign/short-form.ts";
import { NETWORK_FAULTS } from "./kinds/network.ts";

// The last one needs a server with settings of its own, and opens it for all.
const NAMES = ["database-connection-cut", "clients-vanished", "client-connection-cut", "database-connection-forgotten"];
const faults = NAMES.map((name) => NETWORK_FAULTS.find((fault) => fault.name === name)!);
testFaults("faults of the network", [medley("network", "networks that break", faults)]);
