-- Keys are compared by their bytes, in whatever locale the database was made.
alter table queen.stream_state alter column key type text collate "C";
--> statement-breakpoint
-- Rows that every cycle updates.
alter table queen.stream_cycles set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
alter table queen.stream_state set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
--> statement-breakpoint
-- Begins a cycle of a streaming query on a partition, and changes its state.
--
-- Waits for another cycle of the same query and partition to end, and holds off the next one until this transaction ends.
-- Arrays of what is stored are parallel; a key stands in them, or among the deleted ones, once.
--
-- Answers 'begun'; 'repeated' when the last cycle committed here has this very id (nothing is changed then); or 'unknown'
-- when there is state to change and no such query.
create function queen.stream_cycle_begin(
  p_queue integer, p_partition bigint, p_query uuid, p_cycle uuid,
  p_key text[], p_value text[], p_window_end double precision[], p_delete_key text[]
) returns text
language plpgsql
-- As segment_append.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_state bigint;
begin
  insert into queen.stream_cycles as c (queue_id, partition_id, query_id, cycle_id)
  values (p_queue, p_partition, p_query, p_cycle)
  on conflict on constraint stream_cycles_pkey do update
  set cycle_id = excluded.cycle_id, cycle_count = c.cycle_count + 1, committed_at = clock_timestamp()
  where c.cycle_id <> excluded.cycle_id;
  if not found then return 'repeated'; end if;
  if cardinality(p_key) + cardinality(p_delete_key) = 0 then return 'begun'; end if;

  select q.state_id into v_state from queen.stream_queries q where q.id = p_query;
  if not found then return 'unknown'; end if;
  if cardinality(p_delete_key) > 0 then
    delete from queen.stream_state s using unnest(p_delete_key) u(key)
    where s.queue_id = p_queue and s.state_id = v_state and s.partition_id = p_partition and s.key = u.key;
  end if;
  insert into queen.stream_state (queue_id, state_id, partition_id, key, value, window_end)
  select p_queue, v_state, p_partition, u.key, u.value, u.window_end
  from unnest(p_key, p_value, p_window_end) u(key, value, window_end)
  on conflict on constraint stream_state_pkey do update
  set value = excluded.value, window_end = excluded.window_end, updated_at = clock_timestamp();
  return 'begun';
end
$$;
--> statement-breakpoint
-- Resolves everything of a cursor up to and including an offset; with `p_dead`, as dead letters with that text.
--
-- `p_lease` null means: not checked; the acknowledgement then counts as the holder's when its offset is not below the
-- live lease. With `p_release` the lease ends, whatever is left of it; else it stays until it expires, even with nothing left.
--
-- Answers 'recorded', 'lease' (wrong or expired lease: nothing changed) or 'missing' (no such cursor), and whether the lease
-- is free now.
create function queen.stream_acknowledge(
  p_queue integer, p_partition bigint, p_group integer, p_lease uuid, p_offset bigint, p_release boolean, p_dead text,
  out outcome text, out released boolean
)
language plpgsql
-- As segment_append.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_cursor queen.cursors%rowtype;
  v_at tid;
  v_live boolean;
  v_tail bigint;
  v_fresh int8multirange := '{}';
  v_done int8multirange;
  v_new bigint;
begin
  select c.ctid into v_at from queen.cursors c
  where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = p_group
  order by c.generation desc limit 1
  for update;
  if not found then outcome := 'missing'; return; end if;
  select * into v_cursor from queen.cursors c where c.ctid = v_at;
  v_live := v_cursor.lease_id is not null and v_cursor.lease_expires_at > v_now;
  if p_lease is not null and not (v_live and v_cursor.lease_id = p_lease) then
    outcome := 'lease';
    released := not v_live;
    return;
  end if;

  select p.tail into v_tail from queen.partitions p
  where p.queue_id = p_queue and p.id = p_partition order by p.generation desc limit 1;
  v_tail := greatest(v_tail, v_cursor.next_offset);
  if p_offset >= v_tail then
    v_fresh := int8multirange(int8range(v_tail, p_offset + 1)) - coalesce(v_cursor.resolved, '{}') - coalesce((
      select range_agg(int8range(t.message_offset, t.message_offset + 1)) from queen.tombstones t
      where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset >= v_tail and t.message_offset <= p_offset
    ), '{}');
  end if;
  if p_dead is not null then
    insert into queen.dead_letters as d (queue_id, partition_id, group_id, message_offset, error, failure_count, failed_at)
    select p_queue, p_partition, p_group, o.at, p_dead, coalesce(t.failure_count, 0), v_now
    from unnest(v_fresh) f(r)
    cross join lateral generate_series(lower(f.r), upper(f.r) - 1) o(at)
    left join queen.retries t on t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = p_group
      and t.message_offset = o.at
    on conflict on constraint dead_letters_pkey
    do update set error = excluded.error, failure_count = excluded.failure_count, failed_at = excluded.failed_at;
  end if;
  if v_cursor.has_retries then
    delete from queen.retries t
    where t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = p_group and t.message_offset <= p_offset;
  end if;

  v_done := int8multirange(int8range(null, greatest(v_cursor.next_offset, p_offset + 1))) + coalesce(v_cursor.resolved, '{}');
  select upper(t.r) into v_new from unnest(v_done) t(r) where lower_inf(t.r);
  v_done := v_done - int8multirange(int8range(null, v_new));
  released := not v_live or (p_release and (p_lease is not null or p_offset >= v_cursor.lease_first));

  update queen.cursors c
  set next_offset = v_new, resolved = nullif(v_done, '{}'),
      ready_at = case when v_live and released then clock_timestamp() else c.ready_at end,
      lease_id = case when released then null else c.lease_id end,
      lease_expires_at = case when released then null else c.lease_expires_at end,
      lease_first = case when released then null else c.lease_first end,
      lease_end = case when released then null else c.lease_end end,
      consumed_count = c.consumed_count + queen.offsets_count(v_fresh), batch_count = c.batch_count + (v_live and released)::integer,
      consumed_at = case when isempty(v_fresh) then c.consumed_at else v_now end, generation = queen.generation_next(c.generation)
  where c.ctid = v_at;
  if released then perform queen.cursor_settle(array[p_queue], array[p_partition], array[p_group]); end if;
  outcome := 'recorded';
end
$$;
