/** Full disks of PostgreSQL and of the spool, under load: the short form. */
import { testFaults } from "./campaign/short-form.ts";
import { DISK_FAULTS } from "./kinds/disk.ts";

testFaults("a full disk", DISK_FAULTS);
