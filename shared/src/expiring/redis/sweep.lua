-- Redis removes what expired; this takes its keys off the lists of owners.
local gone = redis.call('ZRANGE', by_expiry, '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, member in ipairs(gone) do
  local key, owners = string.sub(member, 1, 32), string.sub(member, 33)
  local current = owners_of(key)
  redis.call('ZREM', by_expiry, member)
  each_owner(owners, function(owner)
    if not owns(current, owner) then redis.call('ZREM', owner_name(owner), key) end
  end)
end
return #gone
