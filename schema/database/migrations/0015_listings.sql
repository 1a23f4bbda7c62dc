-- Counting what there is, exactly, at the time of the call. All of it is for looking: it locks nothing, and each function reads
-- only what belongs to the queue it is called for, along indexes, whatever the statistics say.

-- Where each cursor stands: what of its partition it has left (`pending`, messages under a live lease included), what of that is
-- handed out (`processing`), and the first message left. Offsets resolved out of turn and deleted messages do not count.
--
-- A drained cursor (`ready_at` infinite) has nothing left, so who counts may pass over it.
create view queen.cursor_standings as
select s.queue_id, s.partition_id, s.group_id, s.ready_at, s.consumed_at, s.consumed_count, s.batch_count, s.total, s.lease_id,
       case when s.closed is null then greatest(s.head - s.open_from, 0)
            else greatest(s.head - s.open_from, 0)
              - queen.offsets_count(s.closed * int8multirange(int8range(s.open_from, greatest(s.head, s.open_from)))) end as pending,
       case when s.lease_id is null or s.lease_end <= s.lease_from then 0
            when s.closed is null then s.lease_end - s.lease_from
            else s.lease_end - s.lease_from - queen.offsets_count(s.closed * int8multirange(int8range(s.lease_from, s.lease_end)))
       end as processing,
       case when s.closed is null then s.open_from
            else lower(int8multirange(int8range(s.open_from, greatest(s.head, s.open_from))) - s.closed) end as first_open
from (
  select c.queue_id, c.partition_id, c.group_id, c.ready_at, c.consumed_at, c.consumed_count, c.batch_count,
         p.head, p.head - p.tail - p.tombstone_count as total, greatest(c.next_offset, p.tail) as open_from,
         case when c.lease_expires_at > statement_timestamp() then c.lease_id end as lease_id,
         greatest(c.next_offset, c.lease_first, p.tail) as lease_from, least(c.lease_end, p.head) as lease_end,
         case when p.tombstone_count = 0 then c.resolved else coalesce(c.resolved, '{}') + coalesce((
           select range_agg(int8range(t.message_offset, t.message_offset + 1)) from queen.tombstones t
           where t.queue_id = c.queue_id and t.partition_id = c.partition_id and t.message_offset >= c.next_offset
         ), '{}') end as closed
  from queen.cursors c
  join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
) s;
--> statement-breakpoint
-- The counts of some partitions. Of several groups on a partition the largest value counts. A group without a cursor has
-- nothing left to consume. `unfinished` is what is not completed, `open` the same with dead letters counted as completed.
create function queen.partition_standings(p_queue integer, p_groups integer[], p_partition bigint[])
returns table (
  partition_id bigint, pending bigint, processing bigint, dead_letter bigint, unfinished bigint, open bigint,
  consumed_count bigint, batch_count bigint, consumed_at timestamptz
) language sql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
  select g.partition_id, max(g.pending), max(g.processing), max(g.dead),
         case when count(*) filter (where g.group_id = any (p_groups)) < cardinality(p_groups) then 0
              else min(least(g.pending + g.dead, g.total)) filter (where g.group_id = any (p_groups)) end,
         case when count(*) filter (where g.group_id = any (p_groups)) < cardinality(p_groups) then 0
              else min(g.pending) filter (where g.group_id = any (p_groups)) end,
         sum(g.consumed_count)::bigint, sum(g.batch_count)::bigint, max(g.consumed_at)
  from (
    select x.partition_id, x.group_id, max(x.pending) as pending, max(x.processing) as processing, max(x.dead) as dead,
           max(x.total) as total, max(x.consumed_count) as consumed_count, max(x.batch_count) as batch_count, max(x.consumed_at) as consumed_at
    from (
      select c.partition_id, c.group_id, c.pending, c.processing, 0 as dead, c.total, c.consumed_count, c.batch_count, c.consumed_at
      from queen.cursor_standings c where c.queue_id = p_queue and c.partition_id = any (p_partition)
      union all
      select d.partition_id, d.group_id, 0, 0, count(*), null, null, null, null
      from queen.dead_letters d where d.queue_id = p_queue and d.partition_id = any (p_partition) group by 1, 2
    ) x
    group by 1, 2
  ) g
  group by 1
$$;
--> statement-breakpoint
-- What the undrained cursors of a queue add up to, where there are many: partitions and cursors are read side by side, in the
-- order of their keys. `p_groups` is how many groups the queue has.
create function queen.queue_open_many(
  p_queue integer, p_groups integer, out pending bigint, out processing bigint, out unfinished bigint
) language sql stable
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_nestloop = off set enable_mergejoin = on
as $$
  select coalesce(sum(t.pending), 0)::bigint, coalesce(sum(t.processing), 0)::bigint, coalesce(sum(t.unfinished), 0)::bigint
  from (
    select max(c.pending) as pending, max(c.processing) as processing,
           case when count(*) < p_groups then 0 else min(c.pending) end as unfinished
    from queen.cursor_standings c where c.queue_id = p_queue and c.ready_at < 'infinity'
    group by c.partition_id
  ) t
$$;
--> statement-breakpoint
-- The counts of queues: a row each, in the order given. `pending` includes what is being processed. Where no group ever came,
-- everything is pending. Reads all partitions of these queues, their undrained cursors, and their dead letters.
create function queen.queue_counts(p_queue integer[])
returns table (
  queue_id integer, partitions bigint, total bigint, pending bigint, processing bigint, completed bigint, dead_letter bigint
) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_groups integer[];
  v_unfinished bigint;
  v_more bigint;
begin
  foreach queue_id in array p_queue loop
    select count(*), coalesce(sum(p.head - p.tail - p.tombstone_count), 0)::bigint into partitions, total
    from queen.partitions p where p.queue_id = queue_counts.queue_id;
    v_groups := array(select g.id from queen.consumer_groups g where g.queue_id = queue_counts.queue_id and g.active);
    if cardinality(v_groups) = 0 then
      pending := total;
      processing := 0;
      v_unfinished := total;
    elsif partitions > 10000 and (select count(*) from (
        select from queen.cursors c where c.queue_id = queue_counts.queue_id and c.ready_at < 'infinity' limit partitions / 10
      ) c) >= partitions / 10 then
      select o.pending, o.processing, o.unfinished into pending, processing, v_unfinished
      from queen.queue_open_many(queue_counts.queue_id, cardinality(v_groups)) o;
    else
      -- As queue_open_many, each cursor looked up by itself.
      select coalesce(sum(t.pending), 0)::bigint, coalesce(sum(t.processing), 0)::bigint, coalesce(sum(t.unfinished), 0)::bigint
      into pending, processing, v_unfinished
      from (
        select max(c.pending) as pending, max(c.processing) as processing,
               case when count(*) < cardinality(v_groups) then 0 else min(c.pending) end as unfinished
        from queen.cursor_standings c where c.queue_id = queue_counts.queue_id and c.ready_at < 'infinity'
        group by c.partition_id
      ) t;
    end if;
    dead_letter := 0;
    if exists (select from queen.dead_letters d where d.queue_id = queue_counts.queue_id) then
      select sum(s.dead_letter)::bigint, sum(s.unfinished - s.open)::bigint into dead_letter, v_more
      from queen.partition_standings(queue_counts.queue_id, v_groups, array(
        select distinct d.partition_id from queen.dead_letters d where d.queue_id = queue_counts.queue_id
      )) s;
      if cardinality(v_groups) > 0 then v_unfinished := v_unfinished + coalesce(v_more, 0); end if;
    end if;
    completed := total - v_unfinished;
    return next;
  end loop;
end
$$;
--> statement-breakpoint
-- The partitions of a queue that hold at least `p_depth` messages which wait and are not handed out; 1 or more.
create function queen.partition_deep(p_queue integer, p_depth bigint) returns setof bigint
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
  if exists (select from queen.consumer_groups g where g.queue_id = p_queue and g.active) then
    return query
      select c.partition_id from queen.cursor_standings c where c.queue_id = p_queue and c.ready_at < 'infinity'
      group by c.partition_id having max(c.pending) - max(c.processing) >= p_depth;
  else
    return query
      select p.id from queen.partitions p where p.queue_id = p_queue and p.head - p.tail - p.tombstone_count >= p_depth;
  end if;
end
$$;
--> statement-breakpoint
-- The cursors of some groups of a queue that have something left, and since when the oldest of it is there; only those whose oldest is from
-- before `p_before`. One look-up a cursor.
create function queen.cursor_lags(p_queue integer, p_groups integer[], p_before timestamptz)
returns table (partition_id bigint, group_id integer, pending bigint, lease_id uuid, consumed_at timestamptz, oldest_at timestamptz)
language sql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
  select c.partition_id, c.group_id, c.pending, c.lease_id, c.consumed_at, s.created_at
  from queen.cursor_standings c
  cross join lateral (
    select s.created_at from queen.segments s
    where s.queue_id = p_queue and s.partition_id = c.partition_id and s.first_offset <= c.first_open
    order by s.first_offset desc limit 1
  ) s
  where c.queue_id = p_queue and c.group_id = any (p_groups) and c.ready_at < 'infinity' and c.pending > 0
    and s.created_at < p_before
    and exists (select from queen.segments o where o.queue_id = p_queue and o.created_at < p_before)
$$;
