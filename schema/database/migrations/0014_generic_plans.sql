-- Hot functions keep one plan a statement. Left to itself the planner makes a new plan for each call, because it thinks that a
-- plan for arrays of one element, which it can see, beats one for arrays of any length; making it costs more than running it.
alter function queen.segment_append set plan_cache_mode = force_generic_plan;
--> statement-breakpoint
alter function queen.cursor_claim set plan_cache_mode = force_generic_plan;
--> statement-breakpoint
alter function queen.cursor_acknowledge set plan_cache_mode = force_generic_plan;
--> statement-breakpoint
alter function queen.lease_acknowledge set plan_cache_mode = force_generic_plan;
--> statement-breakpoint
-- As before, in a language whose plans outlive the call: before PostgreSQL 18 functions in SQL were parsed and planned anew by
-- each statement that calls them.
create or replace function queen.cursor_settle(p_queue integer[], p_partition bigint[], p_group integer[]) returns void
language plpgsql as $$
begin
  with held as materialized (
    select c.at
    from unnest(p_queue, p_partition, p_group) u(queue_id, id, group_id)
    cross join lateral (
      select c.ctid as at, c.next_offset, c.lease_id, c.ready_at from queen.cursors c
      where c.queue_id = u.queue_id and c.partition_id = u.id and c.group_id = u.group_id
      order by c.generation desc limit 1
    ) c
    cross join lateral (
      select p.head
      from (
        select p.ctid as at, p.head from queen.partitions p
        where p.queue_id = u.queue_id and p.id = u.id
        order by p.generation desc limit 1
      ) n
      join queen.partitions p on p.ctid = n.at
      -- Where more is known to follow there is nothing to lock.
      where n.head <= c.next_offset
      for share of p skip locked
    ) p
    where p.head <= c.next_offset and c.lease_id is null and c.ready_at < 'infinity'
  )
  update queen.cursors c
  set ready_at = 'infinity', generation = queen.generation_next(c.generation)
  from held h
  where c.ctid = h.at;
end
$$;
