-- The October 2025 dialect: messages are named by transaction id alone, a failure does not end a lease, and dead letters
-- are made only where the queue asks for them.

-- Makes the messages of some segments of a queue known by their transaction ids, those that are not yet, and answers how
-- often each message of the given ranges failed for a group. Ranges (parallel arrays) are sorted: the order of the keys is
-- the order of the locks.
create function queen.october_note(
  p_queue integer, p_group integer, p_segment_partition bigint[], p_segment_first bigint[], p_partition bigint[], p_from bigint[], p_end bigint[]
) returns table (partition_id bigint, message_offset bigint, failure_count integer)
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  if cardinality(p_segment_first) > 0 then
    insert into queen.october_messages (key, queue_id, partition_id, message_offset)
    select encode(substring(s.keys from i * 16 + 1 for 16), 'hex')::uuid, p_queue, s.partition_id, s.first_offset + i
    from (
      -- Concatenated to nothing, so that the keys are fetched once and not for each message.
      select x.partition_id, x.first_offset, x.message_count, x.tx_keys || ''::bytea as keys
      from unnest(p_segment_partition, p_segment_first) with ordinality u(partition_id, first_offset, ord)
      cross join lateral (
        select s.partition_id, s.first_offset, s.message_count, s.tx_keys from queen.segments s
        where s.queue_id = p_queue and s.partition_id = u.partition_id and s.first_offset = u.first_offset
        limit 1
      ) x
      where not exists (
        select from queen.october_segments k
        where k.queue_id = p_queue and k.partition_id = u.partition_id and k.first_offset = u.first_offset
      )
      order by u.ord offset 0
    ) s
    cross join lateral generate_series(0, s.message_count - 1) i
    on conflict do nothing;
    insert into queen.october_segments (queue_id, partition_id, first_offset)
    select p_queue, u.partition_id, u.first_offset from unnest(p_segment_partition, p_segment_first) u(partition_id, first_offset)
    on conflict do nothing;
  end if;
  return query
    select t.partition_id, t.message_offset, t.failure_count
    from unnest(p_partition, p_from, p_end) u(partition_id, from_offset, end_offset)
    cross join lateral (
      select t.* from queen.retries t
      where t.queue_id = p_queue and t.partition_id = u.partition_id and t.group_id = p_group
        and t.message_offset >= u.from_offset and t.message_offset < u.end_offset and t.failure_count > 0
    ) t;
end
$$;
--> statement-breakpoint
-- Records what a consumer says of messages under one cursor. `p_done` are completed offsets, `p_failed` (with `p_error`,
-- parallel) failed ones.
--
-- A failure counts once a lease, and not without one: whose lease ran out has nothing to say, and the message is delivered
-- again all the same. The lease stands until every message of its batch is answered. Beyond the queue's retry
-- limit a failure is a dead letter where the queue has `dlq_after_max_retries`; elsewhere it is delivered again for ever.
--
-- Answers a row for each failed offset, and for each completed one that is a dead letter already: what stands now. And one
-- row without an offset, whose `released` says whether the lease ended by this. Locks the cursor, then, when it became
-- drained, its partition, skipping.
create function queen.october_acknowledge(
  p_queue integer, p_partition bigint, p_group integer, p_done int8multirange, p_failed bigint[], p_error text[]
) returns table (message_offset bigint, status text, released boolean)
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_queue queen.queues%rowtype;
  v_at tid; v_cursor queen.cursors%rowtype;
  v_before int8multirange; v_done int8multirange := p_done; v_fresh int8multirange; v_answered int8multirange := '{}'; v_lease int8multirange := '{}';
  v_dead bigint[]; v_again bigint[]; v_new bigint; v_live boolean; v_whole boolean; v_left boolean; v_ready timestamptz;
begin
  select * into v_queue from queen.queues q where q.id = p_queue;
  select c.ctid into v_at from queen.cursors c
  where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = p_group
  order by c.generation desc limit 1 for update;
  if v_at is null or v_queue.id is null then
    -- A group without a cursor has nothing left to consume there.
    return query select x.f, 'completed'::text, null::boolean from unnest(p_failed) x(f);
    return query select null::bigint, null::text, false;
    return;
  end if;
  select * into v_cursor from queen.cursors c where c.ctid = v_at;
  v_live := v_cursor.lease_id is not null and v_cursor.lease_expires_at > v_now;
  v_before := int8multirange(int8range(null, v_cursor.next_offset)) + coalesce(v_cursor.resolved, '{}');
  if v_live then
    v_lease := int8multirange(int8range(v_cursor.lease_first, v_cursor.lease_end));
    select coalesce((
      select a.failed from queen.october_answers a
      where a.queue_id = p_queue and a.partition_id = p_partition and a.group_id = p_group and a.lease_id = v_cursor.lease_id
    ), '{}') into v_answered;
  end if;

  if cardinality(p_failed) > 0 then
    select array_agg(x.f order by x.f) filter (where x.dead), array_agg(x.f order by x.f) filter (where not x.dead) into v_dead, v_again
    from (
      select f.f, v_queue.dlq_after_max_retries and coalesce(t.failure_count, 0) + 1 > v_queue.retry_limit as dead
      from (select distinct u.f from unnest(p_failed) u(f)) f
      left join lateral (
        select t.failure_count from queen.retries t
        where t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = p_group and t.message_offset = f.f
      ) t on true
      where v_lease @> f.f and not v_before @> f.f and not p_done @> f.f and not v_answered @> f.f
    ) x;
    insert into queen.retries as t (queue_id, partition_id, group_id, message_offset, failure_count, error, failed_at)
    select p_queue, p_partition, p_group, x.f, 1, max(x.error), v_now
    from unnest(p_failed, p_error) x(f, error) where x.f = any (v_again)
    group by x.f
    on conflict on constraint retries_pkey
    do update set failure_count = t.failure_count + 1, error = excluded.error, failed_at = excluded.failed_at;
    insert into queen.dead_letters as d (queue_id, partition_id, group_id, message_offset, error, failure_count, failed_at)
    select p_queue, p_partition, p_group, x.f, max(coalesce(x.error, '')), max(coalesce(t.failure_count, 0)), v_now
    from unnest(p_failed, p_error) x(f, error)
    left join lateral (
      select t.failure_count from queen.retries t
      where t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = p_group and t.message_offset = x.f
    ) t on true
    where x.f = any (v_dead)
    group by x.f
    on conflict on constraint dead_letters_pkey
    do update set error = excluded.error, failure_count = excluded.failure_count, failed_at = excluded.failed_at;
    v_done := v_done + coalesce((select range_agg(int8range(d, d + 1)) from unnest(v_dead) d), '{}');
    v_answered := v_answered + coalesce((select range_agg(int8range(d, d + 1)) from unnest(v_again) d), '{}');
  end if;

  v_fresh := v_done - v_before;
  v_done := v_before + v_done;
  select upper(t.r) into v_new from unnest(v_done) t(r) where lower_inf(t.r);
  v_done := v_done - int8multirange(int8range(null, v_new));
  v_left := v_again is not null or v_cursor.has_retries;
  if v_left and not isempty(v_fresh) then
    delete from queen.retries t
    where t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = p_group and v_fresh @> t.message_offset;
  end if;
  v_answered := v_answered - v_done - int8multirange(int8range(null, v_new));
  v_whole := v_live and v_lease <@ (int8multirange(int8range(null, v_new)) + v_done + v_answered);
  v_ready := v_cursor.ready_at;
  if v_whole then
    v_ready := clock_timestamp();
    if not isempty(v_answered) then
      v_ready := v_ready + make_interval(secs => coalesce(greatest(v_queue.retry_delay_ms, 0), 0) / 1000.0);
    end if;
  end if;

  update queen.cursors c
  set next_offset = v_new, resolved = nullif(v_done, '{}'), ready_at = v_ready,
      lease_id = case when v_live and not v_whole then c.lease_id end,
      lease_expires_at = case when v_live and not v_whole then c.lease_expires_at end,
      lease_first = case when v_live and not v_whole then c.lease_first end,
      lease_end = case when v_live and not v_whole then c.lease_end end,
      has_retries = v_left, consumed_count = c.consumed_count + queen.offsets_count(v_fresh), batch_count = c.batch_count + v_whole::integer,
      consumed_at = case when isempty(v_fresh) then c.consumed_at else v_now end, generation = queen.generation_next(c.generation)
  where c.ctid = v_at;
  if v_whole or isempty(v_answered) then
    delete from queen.october_answers a where a.queue_id = p_queue and a.partition_id = p_partition and a.group_id = p_group;
  else
    insert into queen.october_answers as a (queue_id, partition_id, group_id, lease_id, failed)
    values (p_queue, p_partition, p_group, v_cursor.lease_id, v_answered)
    on conflict on constraint october_answers_pkey do update set lease_id = excluded.lease_id, failed = excluded.failed;
  end if;
  if v_whole or not v_live then perform queen.cursor_settle(array[p_queue], array[p_partition], array[p_group]); end if;

  return query
    select x.f, case when d.at is not null then 'dead_letter' when v_before @> x.f or p_done @> x.f then 'completed' else 'failed' end, null::boolean
    from (
      select distinct u.f from unnest(p_failed) u(f)
      union
      -- Of what was said to be completed, only what was resolved before can be anything else.
      select o from unnest(p_done * v_before) r(r) cross join lateral generate_series(lower(r.r), upper(r.r) - 1) o
    ) x
    left join lateral (
      select d.ctid as at from queen.dead_letters d
      where d.queue_id = p_queue and d.partition_id = p_partition and d.group_id = p_group and d.message_offset = x.f
    ) d on true;
  return query select null::bigint, null::text, coalesce(v_whole, false);
end
$$;
--> statement-breakpoint
-- Dead-letters one message for those groups for which it failed. Answers for how many; null when the message is gone.
create function queen.october_dead_letter(p_queue integer, p_partition bigint, p_offset bigint, p_error text) returns integer
language plpgsql as $$
declare
  v_groups integer[];
begin
  perform pg_advisory_xact_lock_shared(queen.queue_lock_class(), p_queue);
  perform from queen.partitions p
  where p.queue_id = p_queue and p.id = p_partition and p_offset >= p.tail and exists (select from queen.queues q where q.id = p_queue)
  for share of p;
  if not found then return null; end if;
  select array_agg(r) into v_groups from queen.cursor_resolve(
    p_queue, p_partition, array(
      select t.group_id from queen.retries t
      join queen.consumer_groups g on g.queue_id = t.queue_id and g.id = t.group_id and g.active
      where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset and t.failure_count > 0
    ), p_offset
  ) r;
  if v_groups is null then return 0; end if;
  insert into queen.dead_letters as d (queue_id, partition_id, group_id, message_offset, error, failure_count, failed_at)
  select p_queue, p_partition, g, p_offset, coalesce(t.error, p_error), coalesce(t.failure_count, 0), clock_timestamp()
  from unnest(v_groups) g
  left join queen.retries t
    on t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = g and t.message_offset = p_offset
  on conflict on constraint dead_letters_pkey
  do update set error = excluded.error, failure_count = excluded.failure_count, failed_at = excluded.failed_at;
  delete from queen.retries t
  where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset and t.group_id = any (v_groups);
  return cardinality(v_groups);
end
$$;
