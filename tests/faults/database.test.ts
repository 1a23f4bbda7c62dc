/** PostgreSQL that dies, stops and freezes under load: the short form of its faults. */
import { medley } from "./campaign/medley.ts";
import { testFaults } from "./campaign/short-form.ts";
import { DATABASE_FAULTS } from "./kinds/database.ts";

// Stopping under load is tried in the tests of the spool.
const NAMES = ["backends-terminated", "postmaster-killed", "database-frozen"];
const faults = DATABASE_FAULTS.filter(({ name }) => NAMES.includes(name));
testFaults("faults of the database", [medley("database", "PostgreSQL under a server that lives on", faults)]);
