-- Forgets where a group stands on a queue; with `p_metadata` the group itself and its dead letters too, otherwise its
-- subscription stays for when it comes back. Answers how many partitions it had a cursor on.
create function queen.consumer_group_forget(p_queue integer, p_name text, p_metadata boolean) returns integer
language plpgsql as $$
declare
  v_group integer;
  v_count integer;
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  select g.id into v_group from queen.consumer_groups g where g.queue_id = p_queue and g.name = p_name;
  if not found then return 0; end if;
  perform from queen.cursors c where c.queue_id = p_queue and c.group_id = v_group order by c.partition_id for update;
  delete from queen.retries t using queen.cursors c
  where c.queue_id = p_queue and c.group_id = v_group and c.has_retries
    and t.queue_id = p_queue and t.partition_id = c.partition_id and t.group_id = v_group;
  delete from queen.cursors c where c.queue_id = p_queue and c.group_id = v_group;
  get diagnostics v_count = row_count;
  if p_metadata then
    delete from queen.dead_letters d where d.queue_id = p_queue and d.group_id = v_group;
    delete from queen.consumer_groups g where g.queue_id = p_queue and g.id = v_group;
  else
    update queen.consumer_groups g set active = false, filled_to = null where g.queue_id = p_queue and g.id = v_group;
  end if;
  return v_count;
end
$$;
--> statement-breakpoint
-- Moves the start of a group's subscription on a queue. Cursors that never delivered anything go to the new start, and
-- partitions that have something after it and no cursor get one. Answers whether the group had a subscription.
create function queen.consumer_group_resubscribe(p_queue integer, p_name text, p_from timestamptz) returns boolean
language plpgsql as $$
declare
  v_group queen.consumer_groups%rowtype;
  v_now timestamptz;
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  update queen.consumer_groups g set subscription_mode = 'timestamp', subscribed_from = p_from, filled_to = null
  where g.queue_id = p_queue and g.name = p_name and g.subscription_mode in ('new', 'timestamp')
  returning * into v_group;
  if not found then return false; end if;
  if not v_group.active then return true; end if;
  v_now := clock_timestamp();
  perform from queen.cursors c where c.queue_id = p_queue and c.group_id = v_group.id order by c.partition_id for update;
  update queen.cursors c
  set next_offset = coalesce(s.first_offset, p.head), resolved = null,
      ready_at = case when s.first_offset is null then 'infinity' else v_now end,
      lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null
  from queen.partitions p
  left join (
    select s.partition_id, min(s.first_offset) as first_offset
    from queen.segments s where s.queue_id = p_queue and s.created_at >= p_from
    group by s.partition_id
  ) s on s.partition_id = p.id
  where c.queue_id = p_queue and c.group_id = v_group.id and c.consumed_at is null
    and (c.lease_id is null or c.lease_expires_at <= v_now)
    and p.queue_id = p_queue and p.id = c.partition_id;
  insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
  select p_queue, s.partition_id, v_group.id, min(s.first_offset), v_now
  from queen.segments s
  where s.queue_id = p_queue and s.created_at >= p_from and not exists (
    select from queen.cursors c where c.queue_id = p_queue and c.partition_id = s.partition_id and c.group_id = v_group.id
  )
  group by s.partition_id;
  return true;
end
$$;
--> statement-breakpoint
-- Moves the cursors of a group on some partitions of a queue: up to `p_count` of those with ids from `p_first` to `p_last`.
-- Without `p_after`: to the end, where there are messages. With it: to the first message created after it, also where the
-- group had no cursor; to the end where there is none. Leases are void afterwards, counts of failures stay.
--
-- Answers how many cursors were moved or made, and the last partition looked at; null when there are no more. Holds the
-- queue's lock exclusively.
create function queen.consumer_group_seek(
  p_queue integer, p_name text, p_first bigint, p_last bigint, p_after timestamptz, p_count integer, out moved integer, out last bigint
) language plpgsql as $$
#variable_conflict use_column
declare
  v_group integer;
  v_now timestamptz;
  v_id bigint[];
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  moved := 0;
  -- A group that is still being given cursors for what was there before it: now the place is said anew.
  update queen.consumer_groups g set filled_to = case when p_last = p_first then g.filled_to end
  where g.queue_id = p_queue and g.name = p_name and g.active
  returning g.id into v_group;
  if v_group is null then return; end if;
  v_now := clock_timestamp();
  v_id := array(
    select p.id from queen.partitions p where p.queue_id = p_queue and p.id >= p_first and p.id <= p_last order by p.id limit p_count
  );
  if cardinality(v_id) = p_count then last := v_id[p_count]; end if;
  perform from queen.cursors c
  where c.queue_id = p_queue and c.partition_id = any (v_id) and c.group_id = v_group
  order by c.partition_id for update;
  -- `consumed_at` marks a start as decided: a subscription that is decided later leaves it alone.
  with target as materialized (
    -- As subscription_start, which would be called for each.
    select p.id, p.head, case when p_after is null then p.head else coalesce(s.start, p.tail) end as start
    from queen.partitions p
    left join lateral (
      select s.first_offset + s.message_count as start from queen.segments s
      where s.queue_id = p_queue and s.partition_id = p.id and s.created_at <= p_after
      order by s.first_offset desc limit 1
    ) s on true
    where p.queue_id = p_queue and p.id = any (v_id) and (p_after is not null or p.head > p.tail)
  ), moved as (
    update queen.cursors c
    set next_offset = t.start, resolved = null, ready_at = case when t.start < t.head then v_now else 'infinity' end,
        consumed_at = coalesce(c.consumed_at, v_now),
        lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null
    from target t
    where c.queue_id = p_queue and c.partition_id = t.id and c.group_id = v_group
    returning c.partition_id
  ), made as (
    insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at, consumed_at)
    select p_queue, t.id, v_group, t.start, v_now, v_now
    from target t
    where t.start < t.head and not exists (
      select from queen.cursors c where c.queue_id = p_queue and c.partition_id = t.id and c.group_id = v_group
    )
    returning 1
  )
  select (select count(*) from moved) + (select count(*) from made) into moved;
end
$$;
