-- Seven arguments an entry.
for at = 2, #ARGV, 7 do
  local key, value, version, claimed, note, owners, ends = unpack(ARGV, at, at + 6)
  local name = entry_name(key)
  if tonumber(ends) > now then
    unlist(key, owners_of(key) or '')
    redis.call('DEL', name)
    redis.call('HSET', name, 'v', value, 'n', version)
    if tonumber(claimed) >= 0 then redis.call('HSET', name, 'c', claimed, 't', note) end
    if owners ~= '' then
      redis.call('HSET', name, 'o', owners)
      redis.call('ZADD', by_expiry, ends, key .. owners)
      each_owner(owners, function(owner) redis.call('ZADD', owner_name(owner), 0, key) end)
    end
    redis.call('PEXPIREAT', name, ends)
  end
end
