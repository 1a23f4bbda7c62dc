-- Takes away the beginning of logs: everything of the given partitions below `p_end`, which must be where a segment ends
-- (an end beyond the head counts as the head). Cursors are not touched: pops start at the tail or after it.
--
-- Locks the partitions by id. `epoch` grows, since ids that were taken away may be pushed again. Answers how many messages
-- went.
create function queen.partition_truncate(p_queue integer, p_partition bigint[], p_end bigint[]) returns bigint
language plpgsql as $$
declare
  v_id bigint[]; v_end bigint[]; v_stones integer[]; v_count bigint;
begin
  select array_agg(l.id), array_agg(l.end_offset), sum(l.end_offset - l.tail) into v_id, v_end, v_count
  from (
    select p.id, p.tail, least(u.end_offset, p.head) as end_offset
    from unnest(p_partition, p_end) u(id, end_offset)
    join queen.partitions p on p.queue_id = p_queue and p.id = u.id
    where p.tail < least(u.end_offset, p.head)
    order by p.id
    for no key update of p
  ) l;
  if v_id is null then return 0; end if;

  delete from queen.segments s using unnest(v_id, v_end) u(id, end_offset)
  where s.queue_id = p_queue and s.partition_id = u.id and s.first_offset < u.end_offset;
  delete from queen.transaction_keys k using unnest(v_id, v_end) u(id, end_offset)
  where k.queue_id = p_queue and k.partition_id = u.id and k.message_offset >= 0 and k.message_offset < u.end_offset;
  delete from queen.retries t using unnest(v_id, v_end) u(id, end_offset)
  where t.queue_id = p_queue and t.partition_id = u.id and t.message_offset < u.end_offset;
  delete from queen.dead_letters d using unnest(v_id, v_end) u(id, end_offset)
  where d.queue_id = p_queue and d.partition_id = u.id and d.message_offset < u.end_offset;
  delete from queen.traces t using unnest(v_id, v_end) u(id, end_offset)
  where t.queue_id = p_queue and t.partition_id = u.id and t.message_offset < u.end_offset;
  with gone as (
    delete from queen.tombstones t using unnest(v_id, v_end) u(id, end_offset)
    where t.queue_id = p_queue and t.partition_id = u.id and t.message_offset < u.end_offset
    returning t.partition_id
  ), counted as (
    select gone.partition_id, count(*)::integer as stones from gone group by gone.partition_id
  )
  select array_agg(coalesce(c.stones, 0) order by u.ord) into v_stones
  from unnest(v_id) with ordinality u(id, ord) left join counted c on c.partition_id = u.id;

  update queen.partitions p
  set tail = u.end_offset, epoch = p.epoch + 1, tombstone_count = p.tombstone_count - u.stones
  from unnest(v_id, v_end, v_stones) u(id, end_offset, stones)
  where p.queue_id = p_queue and p.id = u.id;
  return v_count - (select sum(s) from unnest(v_stones) s);
end
$$;
--> statement-breakpoint
-- Takes a queue out of sight: its row and its groups. What else it had is found by nobody any more, and is noted in
-- `purges` to be cleared away in steps. Answers its id, or null when there is no such queue.
create function queen.queue_delete(p_name text) returns integer
language plpgsql as $$
declare
  v_queue integer;
begin
  select q.id into v_queue from queen.queues q where q.name = p_name;
  if not found then return null; end if;
  perform pg_advisory_xact_lock(queen.queue_lock_class(), v_queue);
  delete from queen.queues q where q.id = v_queue;
  if not found then return null; end if;
  delete from queen.consumer_groups g where g.queue_id = v_queue;
  insert into queen.purges (queue_id) values (v_queue) on conflict do nothing;
  return v_queue;
end
$$;
--> statement-breakpoint
-- Puts up to `p_count` cursors to the head of their partitions where those are empty: the part of clearing a queue that can be
-- done in steps. Looks at undrained cursors alone, along cursors_ready from (`p_group`, `p_ready`) on. Answers how many were put
-- there and the last one looked at; null when there are no more. Holds the queue's lock exclusively.
create function queen.queue_clear_cursors(
  p_queue integer, p_group integer, p_ready timestamptz, p_count integer, out settled integer, out last_group integer, out last_ready timestamptz
) language plpgsql as $$
declare
  v_at tid[];
  v_group integer[];
  v_ready timestamptz[];
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  select array_agg(l.at), array_agg(l.group_id), array_agg(l.ready_at) into v_at, v_group, v_ready
  from (
    select c.ctid as at, c.group_id, c.ready_at from queen.cursors c
    where c.queue_id = p_queue and (c.group_id, c.ready_at) >= (p_group, p_ready) and c.ready_at < 'infinity'
    order by c.group_id, c.ready_at limit p_count
    for update
  ) l;
  update queen.cursors c
  set next_offset = p.head, ready_at = 'infinity', lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null,
      resolved = null, has_retries = false
  from unnest(v_at) u(at), queen.partitions p
  where c.ctid = u.at and p.queue_id = p_queue and p.id = c.partition_id and p.head = p.tail;
  get diagnostics settled = row_count;
  if cardinality(v_at) = p_count then
    last_group := v_group[p_count];
    last_ready := v_ready[p_count];
  end if;
end
$$;
--> statement-breakpoint
-- Takes all messages out of a queue, or out of one partition of it. Groups stay, their cursors stand at the head and hold
-- no lease. Answers how many messages went.
create function queen.queue_clear(p_queue integer, p_partition bigint) returns bigint
language plpgsql as $$
declare
  v_count bigint;
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  if not exists (select from queen.queues q where q.id = p_queue) then return 0; end if;
  select queen.partition_truncate(p_queue, array_agg(p.id), array_agg(p.head)) into v_count
  from queen.partitions p
  where p.queue_id = p_queue and (p_partition is null or p.id = p_partition) and p.head > p.tail;
  -- A cursor that is drained stands at the head already.
  perform from queen.cursors c
  where c.queue_id = p_queue and (p_partition is null or c.partition_id = p_partition) and c.ready_at < 'infinity'
  order by c.partition_id, c.group_id for update;
  update queen.cursors c
  set next_offset = p.head, ready_at = 'infinity', lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null,
      resolved = null, has_retries = false
  from queen.partitions p
  where c.queue_id = p_queue and (p_partition is null or c.partition_id = p_partition) and c.ready_at < 'infinity'
    and p.queue_id = p_queue and p.id = c.partition_id;
  return v_count;
end
$$;
--> statement-breakpoint
-- Marks one offset resolved under those of the given groups (null: all) that have it open. A lease that has nothing left
-- to deliver is given back. Answers the groups. The caller holds the partition.
create function queen.cursor_resolve(p_queue integer, p_partition bigint, p_groups integer[], p_offset bigint) returns setof integer
language sql as $$
  with held as materialized (
    select c.group_id, c.next_offset, c.lease_first, c.lease_end,
           coalesce(c.resolved, '{}') + int8multirange(int8range(p_offset, p_offset + 1)) as resolved
    from queen.cursors c
    where c.queue_id = p_queue and c.partition_id = p_partition and (p_groups is null or c.group_id = any (p_groups))
      and c.next_offset <= p_offset and not coalesce(c.resolved @> p_offset, false)
    order by c.group_id
    for update
  ), moved as (
    select h.*, coalesce((select upper(t.r) from unnest(h.resolved) t(r) where t.r @> h.next_offset), h.next_offset) as next_new
    from held h
  ), judged as (
    select m.*, coalesce(int8multirange(int8range(m.lease_first, m.lease_end)) <@ (int8multirange(int8range(null, m.next_new)) + m.resolved), false)
             as complete
    from moved m
  )
  update queen.cursors c
  set next_offset = j.next_new,
      resolved = nullif(j.resolved * int8multirange(int8range(j.next_new, null)), '{}'),
      ready_at = case when j.complete then clock_timestamp() else c.ready_at end,
      lease_id = case when j.complete then null else c.lease_id end,
      lease_expires_at = case when j.complete then null else c.lease_expires_at end,
      lease_first = case when j.complete then null else c.lease_first end,
      lease_end = case when j.complete then null else c.lease_end end
  from judged j
  where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = j.group_id
  returning c.group_id
$$;
--> statement-breakpoint
-- Deletes one message out of the log: a tombstone stands in its place. Answers whether it was there.
create function queen.message_delete(p_queue integer, p_partition bigint, p_offset bigint) returns boolean
language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(queen.queue_lock_class(), p_queue);
  perform from queen.partitions p
  where p.queue_id = p_queue and p.id = p_partition and p_offset >= p.tail and p_offset < p.head
    and exists (select from queen.queues q where q.id = p_queue)
  for no key update of p;
  if not found then return false; end if;
  insert into queen.tombstones (queue_id, partition_id, message_offset) values (p_queue, p_partition, p_offset)
  on conflict do nothing;
  if not found then return false; end if;
  update queen.partitions p set tombstone_count = p.tombstone_count + 1, epoch = p.epoch + 1
  where p.queue_id = p_queue and p.id = p_partition;
  perform queen.cursor_resolve(p_queue, p_partition, null, p_offset);
  delete from queen.transaction_keys k where k.queue_id = p_queue and k.partition_id = p_partition and k.message_offset >= 0 and k.message_offset = p_offset;
  delete from queen.retries t where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset;
  delete from queen.dead_letters d where d.queue_id = p_queue and d.partition_id = p_partition and d.message_offset = p_offset;
  delete from queen.traces t where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset;
  return true;
end
$$;
--> statement-breakpoint
-- Gives a dead-lettered message back to the groups that gave up on it, with fresh attempts, and nothing else with it. One
-- that only waits for its next attempt is made ready at once. Answers 'reopened', 'readied', 'nothing' or 'missing'.
create function queen.message_retry(p_queue integer, p_partition bigint, p_offset bigint) returns text
language plpgsql as $$
declare
  v_head bigint;
  v_now timestamptz;
  v_groups integer[];
begin
  perform pg_advisory_xact_lock_shared(queen.queue_lock_class(), p_queue);
  select p.head into v_head from queen.partitions p
  where p.queue_id = p_queue and p.id = p_partition and p_offset >= p.tail and exists (select from queen.queues q where q.id = p_queue)
  for no key update of p;
  if not found then return 'missing'; end if;
  perform from queen.cursors c where c.queue_id = p_queue and c.partition_id = p_partition order by c.group_id for update;
  v_now := clock_timestamp();
  with gone as (
    delete from queen.dead_letters d
    where d.queue_id = p_queue and d.partition_id = p_partition and d.message_offset = p_offset
    returning d.group_id
  )
  select array_agg(gone.group_id) into v_groups from gone;
  if v_groups is null then
    with gone as (
      delete from queen.retries t
      where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset and t.failure_count > 0
      returning t.group_id
    )
    select array_agg(gone.group_id) into v_groups from gone;
    update queen.cursors c set ready_at = v_now
    where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = any (v_groups)
      and (c.lease_id is null or c.lease_expires_at <= v_now);
    return case when v_groups is null then 'nothing' else 'readied' end;
  end if;
  delete from queen.retries t
  where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset and t.group_id = any (v_groups);
  update queen.cursors c
  set next_offset = least(c.next_offset, p_offset),
      resolved = nullif(
        case when p_offset < c.next_offset then coalesce(c.resolved, '{}') + int8multirange(int8range(p_offset + 1, c.next_offset))
             else coalesce(c.resolved, '{}') - int8multirange(int8range(p_offset, p_offset + 1)) end, '{}'),
      ready_at = case when c.lease_id is not null and c.lease_expires_at > v_now then c.ready_at else v_now end
  where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = any (v_groups);
  -- Whoever holds a lease over it now may still complete that lease as a whole: this message is not meant by that.
  with held as (
    update queen.cursors c set has_retries = true
    where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = any (v_groups)
      and c.lease_expires_at > v_now and c.lease_first <= p_offset and c.lease_end > p_offset
    returning c.group_id, c.lease_id
  )
  insert into queen.retries (queue_id, partition_id, group_id, message_offset, failure_count, error, failed_at)
  select p_queue, p_partition, h.group_id, p_offset, 0, h.lease_id::text, v_now from held h;
  -- A group without a cursor here has nothing else to consume here.
  insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at, resolved)
  select p_queue, p_partition, g.id, p_offset, v_now, nullif(int8multirange(int8range(p_offset + 1, v_head)), '{}')
  from queen.consumer_groups g
  where g.queue_id = p_queue and g.id = any (v_groups) and g.active and not exists (
    select from queen.cursors c where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = g.id
  );
  return 'reopened';
end
$$;
--> statement-breakpoint
-- Dead-letters one message for every group that has it open. Answers for how many; null when the message is gone.
create function queen.message_dead_letter(p_queue integer, p_partition bigint, p_offset bigint, p_error text) returns integer
language plpgsql as $$
declare
  v_groups integer[];
begin
  perform pg_advisory_xact_lock_shared(queen.queue_lock_class(), p_queue);
  perform from queen.partitions p
  where p.queue_id = p_queue and p.id = p_partition and p_offset >= p.tail and exists (select from queen.queues q where q.id = p_queue)
  for share of p;
  if not found or exists (
    select from queen.tombstones t where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = p_offset
  ) then
    return null;
  end if;
  select array_agg(r) into v_groups from queen.cursor_resolve(
    p_queue, p_partition, array(select g.id from queen.consumer_groups g where g.queue_id = p_queue and g.active), p_offset
  ) r;
  if v_groups is null then return 0; end if;
  insert into queen.dead_letters as d (queue_id, partition_id, group_id, message_offset, error, failure_count, failed_at)
  select p_queue, p_partition, g, p_offset, p_error, coalesce(t.failure_count, 0), clock_timestamp()
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
--> statement-breakpoint
-- Deletes those of the given partitions that hold no message and had none pushed since `p_before`, with their cursors. The
-- queue's lock keeps new cursors from appearing meanwhile: one without its partition would stand in the way of every pop.
-- Answers how many partitions went.
create function queen.partition_forget(p_queue integer, p_partition bigint[], p_before timestamptz) returns integer
language plpgsql as $$
declare
  v_id bigint[];
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  select array_agg(l.id) into v_id
  from (
    select p.id from queen.partitions p
    where p.queue_id = p_queue and p.id = any (p_partition) and p.head = p.tail and coalesce(p.pushed_at, p.created_at) < p_before
    order by p.id for update
  ) l;
  if v_id is null then return 0; end if;
  delete from queen.cursors c where c.queue_id = p_queue and c.partition_id = any (v_id);
  delete from queen.partitions p where p.queue_id = p_queue and p.id = any (v_id);
  return cardinality(v_id);
end
$$;
