-- Rows of `queen.queues` lock each other out by advisory locks, so that a push never writes to them: a push holds its
-- queues' locks shared, whatever changes what pushes depend on (groups, deletion, clearing) holds one exclusively.
-- The first key of the pair is this constant.
create function queen.queue_lock_class() returns integer
language sql immutable parallel safe as $$ select 1364543815 $$; -- 'QUEG' in ASCII
--> statement-breakpoint
-- Rows that change with every message keep a `generation`, last in their primary key, that grows about every 16th time.
-- The newest version is searched for from the end: `order by generation desc limit 1`. While some session holds an old
-- snapshot, dead versions cannot be removed; a search by the key alone would visit all of them, this one about 16.
create function queen.generation_next(p_generation integer) returns integer
language sql volatile parallel safe as $$ select p_generation + (random() < 0.0625)::integer $$;
--> statement-breakpoint
-- Makes partitions where they do not exist, one transaction at a time for a queue. Answers those it made.
create function queen.partition_ensure(p_queue integer, p_name text[]) returns table (id bigint, name varchar)
language plpgsql as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(1364543824, p_queue); -- 'QUEP' in ASCII
  return query
    insert into queen.partitions (queue_id, name)
    select q.id, u.name from (select distinct unnest(p_name) as name) u
    join queen.queues q on q.id = p_queue
    where not exists (select from queen.partitions p where p.queue_id = p_queue and p.name = u.name)
    returning id, name;
end
$$;
--> statement-breakpoint
-- How many messages of a queue are not yet consumed by all of its groups. Costs what is undelivered, not what exists:
-- only undrained cursors are visited. Without any group, everything kept counts.
create function queen.queue_depth(p_queue integer) returns bigint
language sql stable as $$
  select case
    when exists (select from queen.consumer_groups g where g.queue_id = p_queue and g.active) then
      coalesce((
        select sum(t.pending)
        from (
          select max(p.head - greatest(c.next_offset, p.tail)) as pending
          from queen.cursors c
          join queen.partitions p on p.queue_id = c.queue_id and p.id = c.partition_id
          where c.queue_id = p_queue and c.ready_at < 'infinity'
          group by c.partition_id
        ) t
      ), 0)
    else coalesce((select sum(p.head - p.tail) from queen.partitions p where p.queue_id = p_queue), 0)
  end::bigint
$$;
--> statement-breakpoint
-- Which of the keys `[p_keys_from, p_keys_from + 16 * p_count)` of the packed `p_keys` stand in kept messages of the
-- partition at or after `p_since`. `batch_index` counts from 0.
create function queen.segment_find_keys(
  p_queue integer, p_partition bigint, p_since bigint, p_min uuid, p_max uuid, p_keys bytea, p_keys_from integer, p_count integer
) returns table (batch_index integer, message_offset bigint, id_base uuid, first_offset bigint)
language sql stable as $$
  with batch as materialized (
    select i as batch_index, substring(p_keys from p_keys_from + 1 + i * 16 for 16) as key
    from generate_series(0, p_count - 1) i
  )
  select b.batch_index, s.first_offset + o.i, s.id_base, s.first_offset
  from queen.segments s
  cross join lateral generate_series(0, s.message_count - 1) o(i)
  join batch b on b.key = substring(s.tx_keys from 1 + o.i * 16 for 16)
  where s.queue_id = p_queue and s.partition_id = p_partition
    and s.tx_max >= p_min and s.tx_min <= p_max and s.first_offset >= p_since
    and not exists (
      select from queen.tombstones t
      where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = s.first_offset + o.i
    )
$$;
--> statement-breakpoint
-- Appends one segment to each of several partitions, in one transaction.
--
-- Entries (parallel arrays) must be sorted by (queue, partition), one entry a partition: that is the lock order. Bodies
-- and keys of the entries lie one after another in `p_bodies` and `p_keys`.
--
-- Answers a row an entry, `entry` counting from 1, with its outcome:
--   'appended'   at `first_offset`; `tx_high_before` is the largest time-ordered id the partition held before
--   'duplicate'  nothing appended: rows of the same entry name each duplicate (`batch_index` and the message that has it)
--   'missing'    the queue or the partition is gone
--   'stale'      the queue was configured anew since `p_config`
--   'full'       `room` messages fit (0 to less than asked); `depth` and `max_size` say why
-- An entry that is not appended leaves no trace; the others are appended all the same.
--
-- `p_head` and `p_epoch` are what the caller saw when it last knew all recent ids (-1: it knows none). When they still
-- hold, ids newer than the caller's memory need no look-up; the caller has looked at the ones it remembers.
create function queen.segment_append(
  p_queue integer[], p_partition bigint[], p_config integer[], p_head bigint[], p_epoch integer[],
  p_count integer[], p_format smallint[], p_raw_bytes integer[], p_id_base uuid[], p_tx_min uuid[], p_tx_max uuid[],
  p_body_bytes integer[], p_bodies bytea, p_keys bytea,
  p_key_entry integer[], p_key uuid[], p_key_index integer[]
) returns table (
  entry integer, outcome text, first_offset bigint, epoch integer, created_at timestamptz,
  batch_index integer, existing_offset bigint, existing_id_base uuid, existing_first bigint, room bigint, depth bigint, max_size integer, tx_high_before uuid
)
language plpgsql
-- Each statement looks up a few rows of tables of any size. No plan may read a table whole because it was small when the plan
-- was made, nor sort all versions of a row to find the newest.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  n constant integer := cardinality(p_queue);
  v_now timestamptz;
  v_head bigint[]; v_epoch integer[]; v_high uuid[]; v_config integer[]; v_pushed timestamptz[]; v_found integer[]; v_at tid[];
  v_limited boolean; v_max integer;
  v_outcome text[] := array_fill(null::text, array[n]);
  v_all_heads bigint[] := array_fill(null::bigint, array[n]);
  v_all_at tid[] := array_fill(null::tid, array[n]);
  v_keys_from integer[] := array_fill(0, array[n]);
  v_keys_at integer := 0;
  v_new_keys constant boolean := cardinality(p_key) > 0;
  v_latest timestamptz;
  v_clean boolean := true;
  v_depth bigint;
  e integer; i integer;
begin
  -- Queues first, then partitions, then cursors: the lock order of every function here.
  select bool_or(q.max_size > 0) into v_limited from queen.queues q where q.id = any (p_queue);
  if v_limited then
    -- A bounded queue is counted and filled by one push at a time.
    perform case when q.max_size > 0 then pg_advisory_xact_lock(queen.queue_lock_class(), q.id)
                 else pg_advisory_xact_lock_shared(queen.queue_lock_class(), q.id) end
    from (select id, max_size from queen.queues where id = any (p_queue) order by id) q;
  else
    perform pg_advisory_xact_lock_shared(queen.queue_lock_class(), t.q)
    from (select distinct u.q from unnest(p_queue) u(q) order by u.q) t;
  end if;

  select array_agg(l.ord), array_agg(l.head), array_agg(l.epoch), array_agg(l.tx_high), array_agg(l.config_version), max(l.pushed_at),
         array_agg(l.at)
  into v_found, v_head, v_epoch, v_high, v_config, v_latest, v_at
  from (
    select u.ord::integer as ord, p.head, p.epoch, p.tx_high, u.config_version, p.pushed_at, p.at
    from (
      select u.*, q.config_version
      from unnest(p_queue, p_partition) with ordinality u(queue_id, id, ord)
      join queen.queues q on q.id = u.queue_id
      -- Locks are taken in this order.
      order by u.ord offset 0
    ) u
    cross join lateral (
      select p.ctid as at, p.head, p.epoch, p.tx_high, p.pushed_at from queen.partitions p
      where p.queue_id = u.queue_id and p.id = u.id
      order by p.generation desc limit 1
      for no key update
    ) p
  ) l;

  for i in 1 .. coalesce(cardinality(v_found), 0) loop
    e := v_found[i];
    v_all_heads[e] := v_head[i];
    v_all_at[e] := v_at[i];
    if v_config[i] <> p_config[e] then
      v_outcome[e] := 'stale';
    elsif (p_head[e] = v_head[i] and p_epoch[e] = v_epoch[i]) or p_tx_min[e] is null or v_high[i] is null or p_tx_min[e] > v_high[i] then
      v_outcome[e] := 'appended';
    else
      v_outcome[e] := 'look';
      v_clean := false;
    end if;
  end loop;

  for e in 1 .. n loop
    v_keys_from[e] := v_keys_at;
    v_keys_at := v_keys_at + p_count[e] * 16;
  end loop;

  if not v_clean then
    for i in 1 .. cardinality(v_found) loop
      e := v_found[i];
      continue when v_outcome[e] <> 'look';
      return query
        select e, 'duplicate'::text, null::bigint, v_epoch[i], null::timestamptz,
               f.batch_index, f.message_offset, f.id_base, f.first_offset, null::bigint, null::bigint, null::integer, null::uuid
        from queen.segment_find_keys(
          p_queue[e], p_partition[e],
          case when p_epoch[e] = v_epoch[i] and p_head[e] >= 0 then p_head[e] else 0 end,
          p_tx_min[e], p_tx_max[e], p_keys, v_keys_from[e], p_count[e]
        ) f;
      v_outcome[e] := case when found then 'duplicate' else 'appended' end;
    end loop;
  end if;

  if v_new_keys then
    -- Driven by the request, each key one probe of the index: left to choose, the planner scans a partition's keys.
    for e in
      select distinct k.entry
      from unnest(p_key_entry, p_key) k(entry, key)
      cross join lateral (
        select from queen.transaction_keys x
        where x.queue_id = p_queue[k.entry] and x.partition_id = p_partition[k.entry] and x.key = k.key limit 1
      ) x
      where v_outcome[k.entry] in ('appended', 'duplicate')
    loop
      return query
        select e, 'duplicate'::text, null::bigint, null::integer, null::timestamptz,
               k.batch_index, x.message_offset, s.id_base, s.first_offset, null::bigint, null::bigint, null::integer, null::uuid
        from unnest(p_key_entry, p_key, p_key_index) k(entry, key, batch_index)
        cross join lateral (
          select x.message_offset from queen.transaction_keys x
          where x.queue_id = p_queue[e] and x.partition_id = p_partition[e] and x.key = k.key limit 1
        ) x
        cross join lateral (
          select s.id_base, s.first_offset from queen.segments s
          where s.queue_id = p_queue[e] and s.partition_id = p_partition[e] and s.first_offset <= x.message_offset
          order by s.first_offset desc limit 1
        ) s
        where k.entry = e;
      v_outcome[e] := 'duplicate';
    end loop;
  end if;

  if v_limited then
    for e in 1 .. n loop
      continue when v_outcome[e] is distinct from 'appended';
      select q.max_size into v_max from queen.queues q where q.id = p_queue[e];
      continue when v_max <= 0;
      v_depth := queen.queue_depth(p_queue[e]) + coalesce((
        select sum(p_count[o]) from generate_series(1, e - 1) o where p_queue[o] = p_queue[e] and v_outcome[o] = 'appended'
      ), 0);
      if v_depth + p_count[e] > v_max then
        v_outcome[e] := 'full';
        return query select e, 'full'::text, null::bigint, null::integer, null::timestamptz, null::integer, null::bigint, null::uuid,
          null::bigint, greatest(v_max - v_depth, 0), v_depth, v_max, null::uuid;
      end if;
    end loop;
  end if;

  return query
    select u.e, coalesce(v_outcome[u.e], 'missing'), null::bigint, null::integer, null::timestamptz, null::integer, null::bigint, null::uuid,
           null::bigint, null::bigint, null::bigint, null::integer, null::uuid
    from generate_series(1, n) u(e)
    where v_outcome[u.e] is null or v_outcome[u.e] = 'stale';

  -- Taken under the locks, and never before what the partitions already hold: creation time follows offsets.
  v_now := greatest(clock_timestamp(), v_latest);

  insert into queen.segments (
    queue_id, partition_id, first_offset, message_count, format, raw_bytes, created_at, id_base, tx_min, tx_max, tx_keys, body
  )
  select u.queue_id, u.partition_id, v_all_heads[u.ord], u.message_count, u.format, u.raw_bytes, v_now, u.id_base, u.tx_min, u.tx_max,
         substring(p_keys from v_keys_from[u.ord] + 1 for u.message_count * 16),
         substring(p_bodies from (u.body_end - u.body_bytes)::integer + 1 for u.body_bytes)
  from (
    select r.*, sum(r.body_bytes) over (order by r.ord) as body_end
    from unnest(p_queue, p_partition, p_count, p_format, p_raw_bytes, p_id_base, p_tx_min, p_tx_max, p_body_bytes)
      with ordinality r(queue_id, partition_id, message_count, format, raw_bytes, id_base, tx_min, tx_max, body_bytes, ord)
  ) u
  where v_outcome[u.ord] = 'appended';

  if v_new_keys then
    insert into queen.transaction_keys (queue_id, partition_id, key, message_offset)
    select p_queue[k.entry], p_partition[k.entry], k.key, v_all_heads[k.entry] + k.batch_index
    from unnest(p_key_entry, p_key, p_key_index) k(entry, key, batch_index)
    where v_outcome[k.entry] = 'appended';
  end if;

  update queen.partitions p
  set head = p.head + u.message_count, tx_high = greatest(p.tx_high, u.tx_max), pushed_at = v_now,
      generation = queen.generation_next(p.generation)
  from unnest(v_all_at, p_count, p_tx_max, v_outcome) u(at, message_count, tx_max, outcome)
  where p.ctid = u.at and u.outcome = 'appended';

  perform queen.cursor_wake(p_queue, p_partition, v_all_heads, v_outcome, v_now);

  return query
    select u.e, 'appended'::text, u.head, u.epoch, v_now, null::integer, null::bigint, null::uuid, null::bigint,
           null::bigint, null::bigint, null::integer, u.tx_high
    from unnest(v_found, v_head, v_epoch, v_high) u(e, head, epoch, tx_high)
    where v_outcome[u.e] = 'appended';
end
$$;
--> statement-breakpoint
-- Where in a partition a subscription from a time on begins; at its oldest message without a time. Visits the segments
-- after that time, and one more.
create function queen.subscription_start(p_queue integer, p_partition bigint, p_tail bigint, p_from timestamptz) returns bigint
language sql stable as $$
  select coalesce((
    select s.first_offset + s.message_count from queen.segments s
    where s.queue_id = p_queue and s.partition_id = p_partition and s.created_at < p_from
    order by s.first_offset desc limit 1
  ), p_tail)
$$;
--> statement-breakpoint
-- Makes known to every group that something was appended to these partitions: drained cursors become ready when the
-- queue's delay or window lets them, missing cursors are made, starting at the head before the append. The caller holds
-- the partition rows, which is what makes draining and waking follow one another.
create function queen.cursor_wake(p_queue integer[], p_partition bigint[], p_head bigint[], p_outcome text[], p_now timestamptz)
returns void language plpgsql as $$
declare
  v_missing boolean;
  v_queue integer[]; v_partition bigint[]; v_group integer[]; v_ready timestamptz[]; v_at tid[];
begin
  select coalesce(bool_or(t.ready_before is null), false), array_agg(t.queue_id) filter (where t.ready_before = 'infinity'),
         array_agg(t.partition_id) filter (where t.ready_before = 'infinity'),
         array_agg(t.group_id) filter (where t.ready_before = 'infinity'),
         array_agg(t.ready_at) filter (where t.ready_before = 'infinity')
  into v_missing, v_queue, v_partition, v_group, v_ready
  from (
    select u.queue_id, u.partition_id, g.id as group_id,
           p_now + make_interval(secs => greatest(q.delayed_processing_s, q.window_buffer_s)) as ready_at, c.ready_at as ready_before
    from unnest(p_queue, p_partition, p_outcome) u(queue_id, partition_id, outcome)
    join queen.queues q on q.id = u.queue_id
    join queen.consumer_groups g on g.queue_id = u.queue_id and g.active
    left join lateral (
      select c.ready_at from queen.cursors c
      where c.queue_id = u.queue_id and c.partition_id = u.partition_id and c.group_id = g.id
      order by c.generation desc limit 1
    ) c on true
    where u.outcome = 'appended'
  ) t;

  if v_queue is not null then
    -- Locked in a statement of its own: the next one sees the versions that were locked, and finds them by their place.
    select array_agg(l.at), array_agg(l.ready_at) into v_at, v_ready
    from (
      select c.at, u.ready_at
      from (
        select u.* from unnest(v_queue, v_partition, v_group, v_ready) u(queue_id, partition_id, group_id, ready_at)
        order by u.queue_id, u.partition_id, u.group_id offset 0
      ) u
      cross join lateral (
        select c.ctid as at from queen.cursors c
        where c.queue_id = u.queue_id and c.partition_id = u.partition_id and c.group_id = u.group_id
        order by c.generation desc limit 1
        for update
      ) c
    ) l;
    update queen.cursors c
    set ready_at = greatest(u.ready_at, clock_timestamp()), generation = queen.generation_next(c.generation)
    from unnest(v_at, v_ready) u(at, ready_at)
    where c.ctid = u.at and c.ready_at = 'infinity';
  end if;

  if v_missing then
    insert into queen.cursors (queue_id, partition_id, group_id, next_offset, ready_at)
    select u.queue_id, u.partition_id, g.id,
           -- A group that is still being given cursors for what was there before it starts with that.
           case when u.partition_id > g.filled_to then queen.subscription_start(u.queue_id, u.partition_id, (
               select p.tail from queen.partitions p where p.queue_id = u.queue_id and p.id = u.partition_id order by p.generation desc limit 1
             ), g.subscribed_from) else u.head end,
           p_now + make_interval(secs => greatest(q.delayed_processing_s, q.window_buffer_s))
    from unnest(p_queue, p_partition, p_head, p_outcome) u(queue_id, partition_id, head, outcome)
    join queen.queues q on q.id = u.queue_id
    join queen.consumer_groups g on g.queue_id = u.queue_id and g.active
    where u.outcome = 'appended' and not exists (
      select from queen.cursors c where c.queue_id = u.queue_id and c.partition_id = u.partition_id and c.group_id = g.id
    );
  end if;
end
$$;
