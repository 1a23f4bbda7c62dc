-- Makes cursors of a group for the next 10,000 partitions of those that had something when it came. Answers whether there are
-- more. Holds the queue's lock exclusively, in steps, so that pushes wait for one step at most.
create function queen.consumer_group_fill(p_queue integer, p_group integer) returns boolean
language plpgsql as $$
declare
  v_group queen.consumer_groups%rowtype;
  v_id bigint[];
  v_now timestamptz;
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  select * into v_group from queen.consumer_groups g where g.queue_id = p_queue and g.id = p_group and g.active;
  if v_group.filled_to is null then return false; end if;
  v_now := clock_timestamp();
  v_id := array(
    select p.id from queen.partitions p where p.queue_id = p_queue and p.id > v_group.filled_to order by p.id limit 10000
  );
  insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
  select p_queue, p.id, p_group, p.start, v_now
  from (
    -- As subscription_start, which would be called for each.
    select p.id, p.head, coalesce(s.start, p.tail) as start
    from queen.partitions p
    left join lateral (
      select s.first_offset + s.message_count as start from queen.segments s
      where s.queue_id = p_queue and s.partition_id = p.id and s.created_at < v_group.subscribed_from
      order by s.first_offset desc limit 1
    ) s on true
    where p.queue_id = p_queue and p.id = any (v_id) and p.head > p.tail
  ) p
  where p.start < p.head and not exists (
    select from queen.cursors c where c.queue_id = p_queue and c.partition_id = p.id and c.group_id = p_group
  );
  update queen.consumer_groups g set filled_to = case when cardinality(v_id) = 10000 then v_id[10000] end
  where g.queue_id = p_queue and g.id = p_group;
  return cardinality(v_id) = 10000;
end
$$;
--> statement-breakpoint
-- Makes a group known to a queue, once, and gives it cursors where it has something to consume.
--
-- `p_mode` ('all', 'new' or 'timestamp' with `p_from`) decides the subscription when no pop over the whole queue has
-- decided it yet. With `p_partition`, the pop is of that partition alone: only its start is decided, and the rest of the
-- queue stays open ("all", until a pop over the whole queue says otherwise). Answers the group's id, and whether cursors are
-- missing yet: no pop of the group may go on before `consumer_group_fill` made them.
--
-- Holds the queue's lock exclusively, so no push is between reading the groups and appending.
create function queen.consumer_group_register(
  p_queue integer, p_name text, p_mode text, p_from timestamptz, p_partition bigint, out id integer, out filling boolean
) language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_group queen.consumer_groups%rowtype;
  v_fresh boolean := false;
  v_mode text;
  v_from timestamptz;
  v_start bigint;
  v_filling boolean;
begin
  perform pg_advisory_xact_lock(queen.queue_lock_class(), p_queue);
  if not exists (select from queen.queues q where q.id = p_queue) then return; end if;
  v_now := clock_timestamp();
  select * into v_group from queen.consumer_groups g where g.queue_id = p_queue and g.name = p_name for update;
  if not found then
    insert into queen.consumer_groups (queue_id, name, active) values (p_queue, p_name, false) returning * into v_group;
  end if;
  v_fresh := not v_group.active;
  v_mode := v_group.subscription_mode;
  v_from := v_group.subscribed_from;
  if v_mode is null and p_partition is null then
    v_mode := p_mode;
    v_from := case p_mode when 'new' then v_now when 'timestamp' then p_from end;
    if not v_fresh and v_from is not null then
      -- Decided late: cursors that never delivered anything begin where the subscription begins.
      update queen.cursors c
      set next_offset = greatest(c.next_offset, coalesce((
            select min(s.first_offset) from queen.segments s
            where s.queue_id = p_queue and s.partition_id = c.partition_id and s.created_at >= v_from
          ), p.head)), ready_at = v_now
      from queen.partitions p
      where c.queue_id = p_queue and c.group_id = v_group.id and c.consumed_at is null and c.lease_id is null
        and p.queue_id = p_queue and p.id = c.partition_id;
    end if;
  end if;
  update queen.consumer_groups g set active = true, subscription_mode = v_mode, subscribed_from = v_from
  where g.queue_id = p_queue and g.id = v_group.id;

  -- Nothing was there before a subscription from now on.
  v_filling := v_group.filled_to is not null;
  if v_fresh and (v_from is null or v_from < v_now) then
    update queen.consumer_groups g set filled_to = 0 where g.queue_id = p_queue and g.id = v_group.id;
    v_filling := queen.consumer_group_fill(p_queue, v_group.id);
  end if;

  if p_partition is not null and p_mode <> 'all' and v_mode is null then
    -- The start of this partition alone; `consumed_at` marks it as decided.
    select coalesce((
      select min(s.first_offset) from queen.segments s
      where s.queue_id = p_queue and s.partition_id = p.id and s.created_at >= case p_mode when 'new' then v_now else p_from end
    ), p.head) into v_start
    from queen.partitions p where p.queue_id = p_queue and p.id = p_partition;
    if found then
      update queen.cursors c set next_offset = v_start, ready_at = v_now, consumed_at = v_now
      where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = v_group.id
        and c.consumed_at is null and c.lease_id is null;
      insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at, consumed_at)
      select p_queue, p_partition, v_group.id, v_start, v_now, v_now
      where not exists (
        select from queen.cursors c where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = v_group.id
      );
    end if;
  end if;
  id := v_group.id;
  filling := v_filling;
end
$$;
