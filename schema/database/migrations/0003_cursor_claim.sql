-- The first `p_count` offsets of a multirange, as a multirange.
create function queen.offsets_take(p_offsets int8multirange, p_count bigint) returns int8multirange
language plpgsql immutable as $$
declare
  v_taken int8multirange := '{}';
  v_left bigint := p_count;
  r int8range;
begin
  for r in select t.r from unnest(p_offsets) t(r) order by lower(t.r) loop
    exit when v_left <= 0;
    v_taken := v_taken + int8multirange(int8range(lower(r), least(upper(r), lower(r) + v_left)));
    v_left := v_left - (upper(r) - lower(r));
  end loop;
  return v_taken;
end
$$;
--> statement-breakpoint
create function queen.offsets_count(p_offsets int8multirange) returns bigint
language sql immutable parallel safe as $$
  select coalesce(sum(upper(t.r) - lower(t.r)), 0)::bigint from unnest(p_offsets) t(r)
$$;
--> statement-breakpoint
-- Marks those of the given cursors drained that hold no lease and stand at the head of their partition. The caller has
-- the cursors locked. Partitions that a push holds right now are passed over: their cursors stay ready, which costs a
-- pop that finds nothing, and never a message.
create function queen.cursor_settle(p_queue integer[], p_partition bigint[], p_group integer[]) returns void
language sql as $$
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
  where c.ctid = h.at
$$;
--> statement-breakpoint
-- What of `[p_from, p_head)` of a partition a pop may deliver now, and when more may follow. For queues whose options
-- hide messages by age; segments share their creation time, so ages are looked up by segment.
create function queen.partition_visible(
  p_queue integer, p_partition bigint, p_from bigint, p_head bigint, p_pushed_at timestamptz, p_now timestamptz,
  p_delay_s integer, p_window_s integer, p_hide_s integer,
  out visible_from bigint, out visible_end bigint, out due_at timestamptz
) language plpgsql stable as $$
begin
  visible_from := p_from;
  visible_end := p_head;
  due_at := null;
  if p_window_s > 0 and p_pushed_at > p_now - make_interval(secs => p_window_s) then
    visible_end := p_from;
    due_at := p_pushed_at + make_interval(secs => p_window_s);
    return;
  end if;
  if p_hide_s > 0 then
    select greatest(p_from, coalesce((
      select s.first_offset from queen.segments s
      where s.queue_id = p_queue and s.partition_id = p_partition and s.first_offset + s.message_count > p_from
        and s.first_offset >= coalesce((
          select f.first_offset from queen.segments f
          where f.queue_id = p_queue and f.partition_id = p_partition and f.first_offset <= p_from
          order by f.first_offset desc limit 1), 0)
        and s.created_at > p_now - make_interval(secs => p_hide_s)
      order by s.first_offset limit 1
    ), p_head)) into visible_from;
  end if;
  if p_delay_s > 0 then
    select s.first_offset, s.created_at + make_interval(secs => p_delay_s) into visible_end, due_at
    from queen.segments s
    where s.queue_id = p_queue and s.partition_id = p_partition and s.first_offset + s.message_count > visible_from
      and s.first_offset >= coalesce((
        select f.first_offset from queen.segments f
        where f.queue_id = p_queue and f.partition_id = p_partition and f.first_offset <= visible_from
        order by f.first_offset desc limit 1), 0)
      and s.created_at > p_now - make_interval(secs => p_delay_s)
    order by s.first_offset limit 1;
    visible_end := greatest(coalesce(visible_end, p_head), visible_from);
  end if;
end
$$;
--> statement-breakpoint
-- Claims partitions of one queue for pops of one group.
--
-- Each slot `i` may take one partition for pop `p_pop[i]`; the slots of a pop stand together and share its lease id and
-- its budget of `p_batch[i]` messages. With `p_partition`, only that partition is looked at. With `p_auto`, what is
-- claimed counts as consumed at once and no lease is taken.
--
-- Cursors ready before `p_floor` are not looked at. Dead index entries of all that was ready once lie there, for as long as
-- some session holds an old snapshot; the caller knows below which time nothing living is left.
--
-- Answers a row for each partition claimed: offsets `[first_offset, end_offset)` less `skip`, and when it became ready. Locks cursors, never waits
-- for one. Cursors that turn out to have nothing are corrected: drained, or ready when they will have something.
-- Rides on the index cursors_ready; a claim of one partition on cursors_pkey.
create function queen.cursor_claim(
  p_queue integer, p_group integer, p_partition bigint, p_auto boolean, p_pop integer[], p_batch integer[], p_lease uuid[],
  p_floor timestamptz default '-infinity'
) returns table (
  pop integer, partition_id bigint, partition_name text, first_offset bigint, end_offset bigint, skip int8multirange,
  lease_expires_at timestamptz, tail bigint, ready_at timestamptz
)
language plpgsql
-- As segment_append.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  n constant integer := cardinality(p_pop);
  v_now constant timestamptz := clock_timestamp();
  v_queue queen.queues%rowtype;
  v_expires timestamptz;
  v_plain boolean;
  v_slot integer := 1;
  v_used bigint := 0;
  v_ids bigint[]; v_names text[]; v_from bigint[]; v_head bigint[]; v_resolved int8multirange[]; v_pushed timestamptz[]; v_tails bigint[]; v_stones integer[]; v_at tid[]; v_ready timestamptz[];
  o_id bigint[]; o_name text[]; o_from bigint[]; o_end bigint[]; o_skip int8multirange[]; o_slot integer[]; o_tail bigint[]; o_at tid[]; o_ready timestamptz[];
  d_id bigint[]; d_next bigint[]; d_at tid[];
  w_due timestamptz[]; w_at tid[];
  v_from1 bigint; v_end1 bigint; v_due timestamptz; v_skip int8multirange; v_open int8multirange; v_give bigint; v_found integer;
  i integer;
begin
  select * into v_queue from queen.queues q where q.id = p_queue;
  if not found then return; end if;
  v_expires := v_now + make_interval(secs => case when v_queue.lease_time_s > 0 then v_queue.lease_time_s else 60 end);
  v_plain := v_queue.delayed_processing_s = 0 and v_queue.window_buffer_s = 0 and v_queue.max_wait_time_s = 0 and coalesce(v_queue.ttl_s, 0) = 0;

  loop
    exit when v_slot > n;
    if p_partition is null then
      select array_agg(c.partition_id), array_agg(p.name), array_agg(greatest(c.next_offset, p.tail)), array_agg(p.head),
             array_agg(c.resolved), array_agg(p.pushed_at), array_agg(p.tail), array_agg(p.tombstone_count), array_agg(c.at), array_agg(c.ready_at)
      into v_ids, v_names, v_from, v_head, v_resolved, v_pushed, v_tails, v_stones, v_at, v_ready
      from (
        select c.ctid as at, c.partition_id, c.next_offset, c.resolved, c.ready_at
        from queen.cursors c
        where c.queue_id = p_queue and c.group_id = p_group and c.ready_at >= p_floor and c.ready_at <= v_now and c.ready_at < 'infinity'
        order by c.ready_at
        limit n - v_slot + 1
        for update skip locked
      ) c
      cross join lateral (
        select p.* from queen.partitions p
        where p.queue_id = p_queue and p.id = c.partition_id
        order by p.generation desc limit 1
      ) p;
    else
      select array_agg(c.partition_id), array_agg(p.name), array_agg(greatest(c.next_offset, p.tail)), array_agg(p.head),
             array_agg(c.resolved), array_agg(p.pushed_at), array_agg(p.tail), array_agg(p.tombstone_count), array_agg(c.at), array_agg(c.ready_at)
      into v_ids, v_names, v_from, v_head, v_resolved, v_pushed, v_tails, v_stones, v_at, v_ready
      from (
        select c.at, c.partition_id, c.next_offset, c.resolved, c.ready_at
        from (
          select c.ctid as at, c.partition_id, c.next_offset, c.resolved, c.ready_at
          from queen.cursors c
          where c.queue_id = p_queue and c.partition_id = p_partition and c.group_id = p_group
          order by c.generation desc limit 1
          for update skip locked
        ) c
        where c.ready_at <= v_now
      ) c
      cross join lateral (
        select p.* from queen.partitions p
        where p.queue_id = p_queue and p.id = c.partition_id
        order by p.generation desc limit 1
      ) p;
    end if;
    v_found := coalesce(cardinality(v_ids), 0);
    exit when v_found = 0;

    o_id := '{}'; o_name := '{}'; o_from := '{}'; o_end := '{}'; o_skip := '{}'; o_slot := '{}'; o_tail := '{}'; o_at := '{}'; o_ready := '{}';
    d_id := '{}'; d_next := '{}'; d_at := '{}'; w_due := '{}'; w_at := '{}';

    for i in 1 .. v_found loop
      exit when v_slot > n;
      v_due := null;
      v_skip := null;
      v_from1 := v_from[i];
      v_end1 := v_head[i];
      if not v_plain then
        select x.visible_from, x.visible_end, x.due_at into v_from1, v_end1, v_due
        from queen.partition_visible(
          p_queue, v_ids[i], v_from[i], v_head[i], v_pushed[i], v_now, v_queue.delayed_processing_s, v_queue.window_buffer_s,
          case when v_queue.max_wait_time_s > 0 and coalesce(v_queue.ttl_s, 0) > 0 then least(v_queue.max_wait_time_s, v_queue.ttl_s)
               else greatest(v_queue.max_wait_time_s, coalesce(v_queue.ttl_s, 0)) end
        ) x;
      end if;
      v_give := least(v_end1 - v_from1, p_batch[v_slot] - v_used);
      if v_give > 0 and (v_resolved[i] is not null or v_stones[i] > 0) then
        v_skip := coalesce(v_resolved[i], '{}');
        if v_stones[i] > 0 then
          v_skip := v_skip + coalesce((
            select range_agg(int8range(t.message_offset, t.message_offset + 1)) from queen.tombstones t
            where t.queue_id = p_queue and t.partition_id = v_ids[i] and t.message_offset >= v_from1 and t.message_offset < v_end1
          ), '{}');
        end if;
        v_open := queen.offsets_take(int8multirange(int8range(v_from1, v_end1)) - v_skip, v_give);
        if isempty(v_open) then
          -- Everything here was resolved out of turn: step over it.
          v_from1 := v_end1;
          v_give := 0;
        else
          v_give := queen.offsets_count(v_open);
          v_from1 := lower(v_open);
          v_end1 := upper(v_open);
          v_skip := int8multirange(int8range(v_from1, v_end1)) - v_open;
        end if;
      elsif v_give > 0 then
        v_end1 := v_from1 + v_give;
      end if;

      if v_give > 0 then
        o_id := o_id || v_ids[i]; o_name := o_name || v_names[i]; o_from := o_from || v_from1; o_end := o_end || v_end1;
        o_skip := o_skip || coalesce(v_skip, '{}'); o_slot := o_slot || v_slot; o_tail := o_tail || v_tails[i]; o_at := o_at || v_at[i]; o_ready := o_ready || v_ready[i];
        v_used := v_used + v_give;
        -- On to the next slot; past the rest of this pop's slots when its budget is used up.
        loop
          v_slot := v_slot + 1;
          exit when v_slot > n;
          if p_pop[v_slot] <> p_pop[v_slot - 1] then v_used := 0; exit; end if;
          exit when v_used < p_batch[v_slot];
        end loop;
      elsif v_due is not null then
        w_at := w_at || v_at[i]; w_due := w_due || v_due;
      else
        d_id := d_id || v_ids[i]; d_at := d_at || v_at[i];
        d_next := d_next || greatest(v_from1, v_from[i]);
      end if;
    end loop;

    if cardinality(o_id) > 0 then
      if p_auto then
        update queen.cursors c
        set next_offset = u.end_offset, ready_at = v_now, lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null,
            resolved = nullif(c.resolved * int8multirange(int8range(u.end_offset, null)), '{}'),
            consumed_count = c.consumed_count + (u.end_offset - u.first_offset) - queen.offsets_count(u.skip),
            batch_count = c.batch_count + 1, consumed_at = v_now,
            generation = queen.generation_next(c.generation)
        from unnest(o_at, o_from, o_end, o_skip) u(at, first_offset, end_offset, skip)
        where c.ctid = u.at;
        perform queen.cursor_settle(array_fill(p_queue, array[cardinality(o_id)]), o_id, array_fill(p_group, array[cardinality(o_id)]));
      else
        update queen.cursors c
        set next_offset = u.first_offset, ready_at = v_expires, lease_id = p_lease[u.slot], lease_expires_at = v_expires,
            lease_first = u.first_offset, lease_end = u.end_offset, generation = queen.generation_next(c.generation),
            -- Deleted messages inside the lease count as resolved: nobody can acknowledge them.
            resolved = case when c.resolved is null and isempty(u.skip) then null
              else nullif((coalesce(c.resolved, '{}') + u.skip) * int8multirange(int8range(u.first_offset, null)), '{}') end
        from unnest(o_at, o_from, o_end, o_slot, o_skip) u(at, first_offset, end_offset, slot, skip)
        where c.ctid = u.at;
      end if;
      return query
        select p_pop[u.slot], u.id, u.name, u.first_offset, u.end_offset, u.skip, case when p_auto then null else v_expires end, u.tail, u.ready
        from unnest(o_slot, o_id, o_name, o_from, o_end, o_skip, o_tail, o_ready) u(slot, id, name, first_offset, end_offset, skip, tail, ready);
    end if;
    if cardinality(w_due) > 0 then
      update queen.cursors c
      set ready_at = u.due_at, lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null,
          generation = queen.generation_next(c.generation)
      from unnest(w_at, w_due) u(at, due_at)
      where c.ctid = u.at;
    end if;
    if cardinality(d_id) > 0 then
      -- One that cannot be settled is left ready, but a moment later: this call must not meet it again.
      update queen.cursors c
      set next_offset = u.next_offset, ready_at = v_now + interval '1 microsecond', lease_id = null, lease_expires_at = null, lease_first = null, lease_end = null,
          resolved = nullif(c.resolved * int8multirange(int8range(u.next_offset, null)), '{}'),
          generation = queen.generation_next(c.generation)
      from unnest(d_at, d_next) u(at, next_offset)
      where c.ctid = u.at;
      perform queen.cursor_settle(array_fill(p_queue, array[cardinality(d_id)]), d_id, array_fill(p_group, array[cardinality(d_id)]));
    end if;
    -- Another round only when cursors of this one gave nothing.
    exit when p_partition is not null or cardinality(d_id) + cardinality(w_due) = 0;
  end loop;
end
$$;
