/** A pooler that dies, under load: the short form of its faults. */
import { medley } from "./campaign/medley.ts";
import { testFaults } from "./campaign/short-form.ts";
import { POOLER_FAULTS } from "./kinds/pooler.ts";

testFaults("faults behind a pooler", [medley("pooler", "behind PgBouncer", POOLER_FAULTS)]);
