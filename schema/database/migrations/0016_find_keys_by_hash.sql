-- As before, but a hash of the batch is probed by the keys of each segment. Appending switches hash joins off, which made this
-- look-up compare every key with every other: when requests waited in a backlog, so that their time-ordered ids overlapped with
-- what others had appended meanwhile, one append took seconds, and the backlog grew with it.
create or replace function queen.segment_find_keys(
  p_queue integer, p_partition bigint, p_since bigint, p_min uuid, p_max uuid, p_keys bytea, p_keys_from integer, p_count integer
) returns table (batch_index integer, message_offset bigint, id_base uuid, first_offset bigint)
language plpgsql stable
set enable_hashjoin = on set enable_mergejoin = off set enable_sort = off
as $$
#variable_conflict use_column
begin
  return query
  with batch as materialized (
    select i as batch_index, substring(p_keys from p_keys_from + 1 + i * 16 for 16) as key
    from generate_series(0, p_count - 1) i
  ), kept as materialized (
    select s.first_offset, s.id_base, o.i, substring(k.keys from 1 + o.i * 16 for 16) as key
    from queen.segments s
    -- Fetched once a segment, and not for each of its keys.
    cross join lateral (select s.tx_keys || ''::bytea as keys offset 0) k
    cross join lateral generate_series(0, s.message_count - 1) o(i)
    where s.queue_id = p_queue and s.partition_id = p_partition
      and s.tx_max >= p_min and s.tx_min <= p_max and s.first_offset >= p_since
  )
  select b.batch_index, k.first_offset + k.i, k.id_base, k.first_offset
  from kept k
  join batch b on b.key = k.key
  where not exists (
    select from queen.tombstones t
    where t.queue_id = p_queue and t.partition_id = p_partition and t.message_offset = k.first_offset + k.i
  );
end
$$;
