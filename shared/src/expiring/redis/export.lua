local rows = {}
for at = 2, #ARGV do
  local name = entry_name(ARGV[at])
  local found = redis.call('HMGET', name, 'v', 'n', 'c', 't', 'o')
  rows[at - 1] = false
  if found[1] then
    local claimed = found[3] and tonumber(found[3]) or -1
    rows[at - 1] = {found[1], found[2], claimed, found[4] or '', found[5] or '', redis.call('PEXPIRETIME', name)}
  end
end
return rows
