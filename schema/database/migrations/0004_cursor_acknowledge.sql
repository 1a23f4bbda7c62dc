-- Records what consumers say of messages, exactly: what is resolved is a set of offsets, so a repeated, late or
-- out-of-order acknowledgement neither skips nor revives a message.
--
-- Entries (parallel arrays) are one a cursor, sorted by (queue, partition, group): the lock order. `p_lease` null means:
-- do not check. `p_done` are completed offsets. `p_release` are offsets whose consumer gives the lease
-- back, without counting anything. Offsets that failed stand apart, `p_failed_entry` counting from 1; `p_failed_final`
-- dead-letters whatever the retry limit says.
--
-- An acknowledgement without a lease id counts as the holder's when its offsets lie inside the live lease; otherwise it
-- is recorded and leaves the lease alone.
--
-- Answers a row an entry: 'recorded', 'lease' (wrong or expired lease: nothing recorded) or 'missing' (no such cursor);
-- `released` says whether the lease is free now. Then rows of outcome 'dead' name the failed offsets dead-lettered.
create function queen.cursor_acknowledge(
  p_queue integer[], p_partition bigint[], p_group integer[], p_lease uuid[], p_done int8multirange[], p_release int8multirange[],
  p_failed_entry integer[], p_failed_offset bigint[], p_failed_error text[], p_failed_final boolean[]
) returns table (entry integer, outcome text, released boolean, message_offset bigint)
language plpgsql
-- As segment_append.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  n constant integer := cardinality(p_queue);
  v_now constant timestamptz := clock_timestamp();
  v_fails constant boolean := cardinality(p_failed_entry) > 0;
  v_found integer[]; v_next bigint[]; v_lease uuid[]; v_expires timestamptz[]; v_first bigint[]; v_end bigint[];
  v_resolved int8multirange[]; v_retries boolean[]; v_ready timestamptz[];
  u_entry integer[] := '{}'; u_next bigint[] := '{}'; u_resolved int8multirange[] := '{}'; u_free boolean[] := '{}';
  u_ready timestamptz[] := '{}'; u_count bigint[] := '{}'; u_whole boolean[] := '{}'; u_retries boolean[] := '{}';
  v_done int8multirange; v_before int8multirange; v_fresh int8multirange; v_new bigint; v_live boolean; v_free boolean; v_at timestamptz; v_delayed boolean;
  v_dead bigint[]; v_failed bigint; v_left boolean; v_delay_ms integer; v_inside boolean; v_whole boolean; r int8range;
  v_simple integer[]; s_at tid[]; v_place tid[]; u_at tid[] := '{}';
  e integer; i integer;
begin
  select array_agg(l.ord), array_agg(l.next_offset), array_agg(l.lease_id), array_agg(l.lease_expires_at), array_agg(l.lease_first),
         array_agg(l.lease_end), array_agg(l.resolved), array_agg(l.has_retries), array_agg(l.ready_at),
         array_agg(l.ord) filter (where l.simple), array_agg(l.at) filter (where l.simple), array_agg(l.at)
  into v_found, v_next, v_lease, v_expires, v_first, v_end, v_resolved, v_retries, v_ready, v_simple, s_at, v_place
  from (
    select u.ord::integer as ord, c.at, c.next_offset, c.lease_id, c.lease_expires_at, c.lease_first, c.lease_end, c.resolved, c.has_retries, c.ready_at,
           -- The whole of a live lease, nothing of it resolved before, nothing failed: what consumers do nearly always.
           coalesce(c.lease_id = u.lease_id and c.lease_expires_at > v_now and c.resolved is null and not c.has_retries and not v_fails
             and isempty(p_release[u.ord]) and u.done = int8multirange(int8range(c.next_offset, c.lease_end)), false) as simple
    from unnest(p_queue, p_partition, p_group, p_lease, p_done) with ordinality u(queue_id, partition_id, group_id, lease_id, done, ord)
    cross join lateral (
      select c.ctid as at, c.* from queen.cursors c
      where c.queue_id = u.queue_id and c.partition_id = u.partition_id and c.group_id = u.group_id
      order by c.generation desc limit 1
      for update
    ) c
  ) l;

  if v_simple is not null then
    with whole as materialized (
      select s.at, w.next_offset, h.head
      from unnest(v_simple, s_at) s(ord, at)
      cross join lateral (select upper(p_done[s.ord])) w(next_offset)
      left join lateral (
        -- As in cursor_settle: only under the partition's lock is it certain that nothing follows.
        select p.head
        from (
          select p.ctid as at, p.head from queen.partitions p
          where p.queue_id = p_queue[s.ord] and p.id = p_partition[s.ord]
          order by p.generation desc limit 1
        ) n
        join queen.partitions p on p.ctid = n.at
        where n.head <= w.next_offset
        for share of p skip locked
      ) h on true
    )
    update queen.cursors c
    set next_offset = w.next_offset, ready_at = case when w.head <= w.next_offset then 'infinity' else clock_timestamp() end,
        lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null, generation = queen.generation_next(c.generation),
        consumed_count = c.consumed_count + w.next_offset - c.next_offset, batch_count = c.batch_count + 1, consumed_at = v_now
    from whole w
    where c.ctid = w.at;
    return query select s.ord, 'recorded'::text, true, null::bigint from unnest(v_simple) s(ord);
  end if;

  for i in 1 .. case when cardinality(v_simple) = cardinality(v_found) then 0 else coalesce(cardinality(v_found), 0) end loop
    e := v_found[i];
    continue when e = any (v_simple);
    v_live := v_lease[i] is not null and v_expires[i] > v_now;
    if p_lease[e] is not null and not (v_live and v_lease[i] = p_lease[e]) then
      return query select e, 'lease'::text, not v_live, null::bigint;
      continue;
    end if;
    v_before := int8multirange(int8range(null, v_next[i])) + coalesce(v_resolved[i], '{}');
    v_done := p_done[e];
    v_left := false;
    v_inside := p_lease[e] is not null;

    if v_fails then
      -- Only what is still open can fail. One decision for all failures of the request, each from its own count.
      select array_agg(f.message_offset order by f.message_offset) filter (where f.dead), coalesce(bool_or(not f.dead), false),
             coalesce(bool_or(f.message_offset >= v_first[i] and f.message_offset < v_end[i]), false) or v_inside
      into v_dead, v_left, v_inside
      from (
        select x.message_offset, x.final or coalesce(t.failure_count, 0) + 1 > q.retry_limit as dead
        from unnest(p_failed_entry, p_failed_offset, p_failed_final) x(entry, message_offset, final)
        join queen.queues q on q.id = p_queue[e]
        left join queen.retries t on t.queue_id = p_queue[e] and t.partition_id = p_partition[e] and t.group_id = p_group[e]
          and t.message_offset = x.message_offset
        where x.entry = e and not v_before @> x.message_offset and not v_done @> x.message_offset
      ) f;
      if v_left then
        insert into queen.retries as t (queue_id, partition_id, group_id, message_offset, failure_count, error, failed_at)
        select p_queue[e], p_partition[e], p_group[e], x.message_offset, 1, max(x.error), v_now
        from unnest(p_failed_entry, p_failed_offset, p_failed_error) x(entry, message_offset, error)
        where x.entry = e and not v_before @> x.message_offset and not v_done @> x.message_offset
          and not (x.message_offset = any (coalesce(v_dead, '{}')))
        group by x.message_offset
        on conflict on constraint retries_pkey
        do update set failure_count = t.failure_count + 1, error = excluded.error, failed_at = excluded.failed_at;
      end if;
      if v_dead is not null then
        insert into queen.dead_letters as d (queue_id, partition_id, group_id, message_offset, error, failure_count, failed_at)
        select p_queue[e], p_partition[e], p_group[e], x.message_offset, max(coalesce(x.error, '')), max(coalesce(t.failure_count, 0)), v_now
        from unnest(p_failed_entry, p_failed_offset, p_failed_error) x(entry, message_offset, error)
        left join queen.retries t on t.queue_id = p_queue[e] and t.partition_id = p_partition[e] and t.group_id = p_group[e]
          and t.message_offset = x.message_offset
        where x.entry = e and x.message_offset = any (v_dead)
        group by x.message_offset
        on conflict on constraint dead_letters_pkey
        do update set error = excluded.error, failure_count = excluded.failure_count, failed_at = excluded.failed_at;
        v_done := v_done + (select range_agg(int8range(d, d + 1)) from unnest(v_dead) d);
        return query select e, 'dead'::text, null::boolean, d from unnest(v_dead) d;
      end if;
    end if;

    v_fresh := v_done - v_before;
    v_done := v_before + v_done;
    -- The run that begins below everything ends where the first open offset is.
    select upper(t.r) into v_new from unnest(v_done) t(r) where lower_inf(t.r);
    v_done := v_done - int8multirange(int8range(null, v_new));
    if (v_left or v_retries[i]) and not isempty(v_fresh) then
      delete from queen.retries t
      where t.queue_id = p_queue[e] and t.partition_id = p_partition[e] and t.group_id = p_group[e] and v_fresh @> t.message_offset;
    end if;

    v_whole := v_live and (v_new >= v_end[i]
      or (int8multirange(int8range(v_first[i], v_end[i])) <@ (int8multirange(int8range(null, v_new)) + v_done)));
    v_at := v_ready[i];
    v_free := not v_live;
    if v_live and (v_whole or (v_left and v_inside)
                   or (not isempty(p_release[e]) and (p_lease[e] is not null or p_release[e] && int8range(v_first[i], v_end[i])))) then
      v_free := true;
      v_at := clock_timestamp();
    end if;
    if v_left and v_free then
      select q.retry_delay_ms into v_delay_ms from queen.queues q where q.id = p_queue[e];
      v_at := clock_timestamp() + make_interval(secs => coalesce(greatest(v_delay_ms, 0), 0) / 1000.0);
    end if;

    u_entry := u_entry || e; u_at := u_at || v_place[i]; u_next := u_next || v_new; u_resolved := u_resolved || nullif(v_done, '{}');
    u_free := u_free || v_free; u_ready := u_ready || v_at; u_whole := u_whole || v_whole;
    u_count := u_count || queen.offsets_count(v_fresh); u_retries := u_retries || (v_left or v_retries[i]);
  end loop;

  if cardinality(u_entry) > 0 then
    update queen.cursors c
    set next_offset = u.next_offset, resolved = u.resolved, ready_at = u.ready_at,
        lease_id = case when u.free then null else c.lease_id end,
        lease_expires_at = case when u.free then null else c.lease_expires_at end,
        lease_first = case when u.free then null else c.lease_first end,
        lease_end = case when u.free then null else c.lease_end end,
        has_retries = u.retries, consumed_count = c.consumed_count + u.count, batch_count = c.batch_count + u.whole::integer,
        consumed_at = case when u.count > 0 then v_now else c.consumed_at end, generation = queen.generation_next(c.generation)
    from unnest(u_at, u_next, u_resolved, u_free, u_ready, u_whole, u_count, u_retries)
      u(at, next_offset, resolved, free, ready_at, whole, count, retries)
    where c.ctid = u.at;
    perform queen.cursor_settle(
      array_agg(p_queue[u.entry]), array_agg(p_partition[u.entry]), array_agg(p_group[u.entry])
    ) from unnest(u_entry, u_free) u(entry, free) where u.free having count(*) > 0;
    return query select u.entry, 'recorded'::text, u.free, null::bigint from unnest(u_entry, u_free) u(entry, free);
  end if;

  return query
    select u.ord, 'missing'::text, null::boolean, null::bigint from generate_series(1, n) u(ord)
    where v_found is null or u.ord <> all (v_found);
end
$$;
