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
--> statement-breakpoint
-- Hot statements are planned once for any parameters, that is for an average queue and partition. Averages mislead: beside
-- a thousand small queues one of a million partitions looks small, and walking all of its cursors looks cheaper than
-- finding five by key. These say how selective the columns are at worst, so that plans hold for the largest queue and the
-- longest log. They count from the next `analyze` on.
alter table queen.partitions alter column queue_id set (n_distinct = 1);
--> statement-breakpoint
alter table queen.cursors alter column queue_id set (n_distinct = 1), alter column group_id set (n_distinct = 1);
--> statement-breakpoint
alter table queen.segments alter column queue_id set (n_distinct = 1), alter column partition_id set (n_distinct = 10);
--> statement-breakpoint
alter table queen.transaction_keys alter column queue_id set (n_distinct = 1), alter column partition_id set (n_distinct = 10);
--> statement-breakpoint
alter table queen.consumer_groups alter column name set (n_distinct = 100);
--> statement-breakpoint
-- And from now on, before the first rows and the first automatic `analyze`: statistics outlive the row they come from.
insert into queen.consumer_groups (queue_id, name) values (0, '');
--> statement-breakpoint
insert into queen.partitions (queue_id, id, name) values (0, 0, '');
--> statement-breakpoint
insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at) values (0, 0, 0, 0, 'infinity');
--> statement-breakpoint
insert into queen.segments (queue_id, partition_id, first_offset, message_count, format, raw_bytes, created_at, id_base, tx_keys, body)
values (0, 0, 0, 1, 0, 0, clock_timestamp(), gen_random_uuid(), '', '');
--> statement-breakpoint
insert into queen.transaction_keys (queue_id, partition_id, key, message_offset) values (0, 0, gen_random_uuid(), 0);
--> statement-breakpoint
analyze queen.consumer_groups, queen.partitions, queen.cursors, queen.segments, queen.transaction_keys;
--> statement-breakpoint
truncate queen.consumer_groups, queen.partitions, queen.cursors, queen.segments, queen.transaction_keys restart identity;
