-- The offsets that are still the holder's to answer for: those of its lease that are not resolved, less any that somebody
-- reopened since (message_retry marks them). The caller has the cursor locked.
create function queen.lease_open(
  p_queue integer, p_partition bigint, p_group integer, p_lease uuid, p_next bigint, p_first bigint, p_end bigint,
  p_resolved int8multirange, p_retries boolean
) returns int8multirange
language sql stable as $$
  select int8multirange(int8range(greatest(p_first, least(p_next, p_end)), p_end)) - coalesce(p_resolved, '{}')
    - case when p_retries then coalesce((
        select range_agg(int8range(t.message_offset, t.message_offset + 1)) from queen.retries t
        where t.queue_id = p_queue and t.partition_id = p_partition and t.group_id = p_group
          and t.message_offset >= p_first and t.message_offset < p_end and t.failure_count = 0 and t.error = p_lease::text
      ), '{}') else '{}' end
$$;
--> statement-breakpoint
-- Answers for everything under some leases at once and gives them back. Entries (parallel arrays) are one a lease. Status
-- 'completed' resolves what is open; 'failed' counts an attempt for each open message, as if each had been acknowledged so;
-- 'dlq' dead-letters them; 'retry' counts nothing.
--
-- The partitions that a lease holds are given by `p_known_*`, all of them, when somebody remembers. Those of the entries
-- `p_unknown` are found along cursors_ready: leased cursors are those of the group that become ready later.
--
-- Answers a row for each partition given back: how many messages were open, and how many of them were dead-lettered. A
-- lease that is not held (any more) has none. Locks the cursors in order, then, passing over locked ones, partitions that
-- may have nothing more.
create function queen.lease_acknowledge(
  p_queue integer[], p_group integer[], p_lease uuid[], p_status text[], p_error text[],
  p_known_entry integer[], p_known_partition bigint[], p_unknown integer[]
) returns table (entry integer, partition_id bigint, open_count bigint, dead_count bigint)
language plpgsql
-- As segment_append; but lists of the call are joined with one another here.
set enable_seqscan = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  k_entry integer[] := p_known_entry; k_partition bigint[] := p_known_partition;
  f_entry integer[]; f_partition bigint[];
  v_entry integer[]; v_partition bigint[]; v_first bigint[]; v_end bigint[]; v_open int8multirange[]; v_at tid[];
  v_unusual boolean; v_completed boolean; v_other boolean;
begin
  if cardinality(p_unknown) > 0 then
    select array_agg(u.ord), array_agg(c.partition_id) into f_entry, f_partition
    from unnest(p_unknown) u(ord)
    join queen.cursors c on c.queue_id = p_queue[u.ord] and c.group_id = p_group[u.ord] and c.lease_id = p_lease[u.ord]
      and c.ready_at > v_now and c.ready_at < 'infinity';
    k_entry := k_entry || f_entry;
    k_partition := k_partition || f_partition;
  end if;

  select array_agg(l.entry), array_agg(l.partition_id), array_agg(l.lease_first), array_agg(l.lease_end),
         bool_or(l.resolved is not null or l.has_retries or l.next_offset < l.lease_first or l.next_offset > l.lease_end),
         bool_or(p_status[l.entry] = 'completed'), bool_or(p_status[l.entry] <> 'completed'), array_agg(l.at)
  into v_entry, v_partition, v_first, v_end, v_unusual, v_completed, v_other, v_at
  from (
    select k.entry, c.*
    from (
      select k.* from unnest(k_entry, k_partition) k(entry, partition_id)
      order by p_queue[k.entry], k.partition_id, p_group[k.entry] offset 0
    ) k
    cross join lateral (
      select c.ctid as at, c.* from queen.cursors c
      where c.queue_id = p_queue[k.entry] and c.partition_id = k.partition_id and c.group_id = p_group[k.entry]
      order by c.generation desc limit 1
      for update
    ) c
    where c.lease_id = p_lease[k.entry] and c.lease_expires_at > v_now
  ) l;
  if v_entry is null then return; end if;
  if v_unusual then
    -- A statement of its own: marks made while we waited for the cursors must be seen. Null where nothing is unusual: then
    -- everything from the cursor to the end of the lease is open.
    select array_agg(
      case when c.resolved is not null or c.has_retries or c.next_offset < c.lease_first or c.next_offset > c.lease_end then
        queen.lease_open(c.queue_id, c.partition_id, c.group_id, c.lease_id, c.next_offset, c.lease_first, c.lease_end, c.resolved, c.has_retries)
      end order by u.ord) into v_open
    from unnest(v_at) with ordinality u(at, ord)
    join queen.cursors c on c.ctid = u.at;
  end if;

  if v_completed then
    if v_unusual then
      delete from queen.retries t
      using unnest(v_entry, v_partition, v_open) u(entry, partition_id, open)
      where p_status[u.entry] = 'completed' and t.queue_id = p_queue[u.entry] and t.partition_id = u.partition_id
        and t.group_id = p_group[u.entry] and t.message_offset >= lower(u.open) and t.message_offset < upper(u.open)
        and u.open @> t.message_offset;
    end if;
    return query
      with held as materialized (
        select u.entry, u.partition_id, u.at, u.open, c.next_offset as next_before, d.next_offset, d.rest
        from unnest(v_entry, v_partition, v_end, v_open, v_at) u(entry, partition_id, lease_end, open, at)
        join queen.cursors c on c.ctid = u.at
        cross join lateral (
          select u.lease_end, null::int8multirange where u.open is null
          union all
          select upper(r.r), nullif(x.done * int8multirange(int8range(upper(r.r), null)), '{}')
          from (select int8multirange(int8range(null, c.next_offset)) + coalesce(c.resolved, '{}') + u.open) x(done)
          cross join lateral unnest(x.done) r(r)
          where u.open is not null and lower_inf(r.r)
        ) d(next_offset, rest)
        where p_status[u.entry] = 'completed'
      ), drained as materialized (
        -- As in cursor_settle: only under the partition's lock is it certain that nothing follows.
        select h.entry, h.partition_id, p.head
        from held h
        cross join lateral (
          select p.ctid as at, p.head from queen.partitions p
          where p.queue_id = p_queue[h.entry] and p.id = h.partition_id
          order by p.generation desc limit 1
        ) n
        join queen.partitions p on p.ctid = n.at
        where n.head <= h.next_offset
        for share of p skip locked
      )
      update queen.cursors c
      set next_offset = h.next_offset, resolved = h.rest,
          ready_at = case when d.head <= h.next_offset then 'infinity' else clock_timestamp() end,
          lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null,
          consumed_count = c.consumed_count + case when h.open is null then h.next_offset - h.next_before else queen.offsets_count(h.open) end,
          batch_count = c.batch_count + 1, consumed_at = v_now, generation = queen.generation_next(c.generation)
      from held h left join drained d on d.entry = h.entry and d.partition_id = h.partition_id
      where c.ctid = h.at
      returning h.entry, h.partition_id, case when h.open is null then h.next_offset - h.next_before else queen.offsets_count(h.open) end, 0::bigint;
  end if;

  if v_other then
    return query
      with other as materialized (
        select row_number() over (order by p_queue[u.entry], u.partition_id, p_group[u.entry])::integer as n, u.entry, u.partition_id, u.lease_first,
               u.lease_end, p_status[u.entry] as status,
               coalesce(u.open, int8multirange(int8range(c.next_offset, u.lease_end))) as open
        from unnest(v_entry, v_partition, v_first, v_end, v_open, v_at) u(entry, partition_id, lease_first, lease_end, open, at)
        join queen.cursors c on c.ctid = u.at
        where p_status[u.entry] <> 'completed'
      ), failed as materialized (
        select array_agg(o.n) as n, array_agg(m.message_offset) as message_offset, array_agg(p_error[o.entry]) as error,
               array_agg(o.status = 'dlq') as final
        from other o
        cross join lateral unnest(o.open) r(r)
        cross join lateral generate_series(lower(r.r), upper(r.r) - 1) m(message_offset)
        where o.status <> 'retry'
      ), spoken as materialized (
        select a.*
        from (
          select array_agg(p_queue[o.entry] order by o.n) as queue_id, array_agg(o.partition_id order by o.n) as partition_id,
                 array_agg(p_group[o.entry] order by o.n) as group_id, array_agg(p_lease[o.entry] order by o.n) as lease_id,
                 array_agg('{}'::int8multirange order by o.n) as done,
                 array_agg(int8multirange(int8range(o.lease_first, o.lease_end)) order by o.n) as released
          from other o
        ) x
        cross join failed f
        cross join lateral queen.cursor_acknowledge(
          x.queue_id, x.partition_id, x.group_id, x.lease_id, x.done, x.released,
          coalesce(f.n, '{}'), coalesce(f.message_offset, '{}'), coalesce(f.error, '{}'), coalesce(f.final, '{}')
        ) a
      )
      select o.entry, o.partition_id, queen.offsets_count(o.open), d.dead
      from other o
      join (
        select s.entry, count(*) filter (where s.outcome = 'dead') as dead, bool_or(s.outcome = 'recorded') as recorded
        from spoken s group by s.entry
      ) d on d.entry = o.n
      where d.recorded;
  end if;
end
$$;
--> statement-breakpoint
-- Which of some leases expired without being given back. Looks at the cursors of each group that became ready last.
create function queen.lease_expired(p_queue integer[], p_group integer[], p_lease uuid[]) returns setof uuid
language sql stable as $$
  select u.lease_id
  from unnest(p_queue, p_group, p_lease) u(queue_id, group_id, lease_id)
  where exists (
    select from (
      select c.lease_id from queen.cursors c
      where c.queue_id = u.queue_id and c.group_id = u.group_id and c.ready_at <= clock_timestamp() and c.ready_at < 'infinity'
      order by c.ready_at desc limit 10000
    ) c
    where c.lease_id = u.lease_id
  )
$$;
