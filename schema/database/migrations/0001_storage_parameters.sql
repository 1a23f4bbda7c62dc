-- Bodies and keys come compressed, or do not compress: no second attempt. Rows up to half a page stay in the table,
-- which spares the out-of-line table for small segments.
alter table queen.segments alter column body set storage external, alter column tx_keys set storage external;
--> statement-breakpoint
alter table queen.segments set (toast_tuple_target = 4080, autovacuum_vacuum_insert_scale_factor = 0.5, autovacuum_freeze_min_age = 0);
--> statement-breakpoint
-- Rows that every push and every pop update: room on the page for the next version, and vacuum in small steps.
alter table queen.partitions set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
alter table queen.cursors set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
alter index queen.cursors_ready set (fillfactor = 70);
