-- Two rounds over the steps: what they would do is found out first, as a script that has begun to write can't go back.
local at = 2
local function take()
  at = at + 1
  return ARGV[at - 1]
end

local steps = {}
while at <= #ARGV do
  local step = {kind = take()}
  if step.kind == 'delete_owned' then
    step.owner = take()
  else
    step.key = take()
  end
  if step.kind == 'insert' then
    step.value, step.ttl, step.owners = take(), take(), take()
  elseif step.kind == 'claim' then
    step.note = take()
  elseif step.kind == 'update' then
    step.expected, step.value, step.ttl = take(), take(), take()
  end
  steps[#steps + 1] = step
end

-- Entries as the steps so far would leave them.
local drafts = {}
local function draft(key)
  if not drafts[key] then
    local found = redis.call('HMGET', entry_name(key), 'n', 'c', 'o')
    drafts[key] = {live = found[1] ~= false, version = tonumber(found[1]), claimed = found[2] ~= false, owners = found[3]}
  end
  return drafts[key]
end

local function members(owner) return redis.call('ZRANGE', owner_name(owner), 0, -1) end

for index, step in ipairs(steps) do
  local good = true
  if step.kind == 'insert' then
    good = not draft(step.key).live
    drafts[step.key] = {live = true, version = 1, claimed = false, owners = step.owners}
  elseif step.kind == 'claim' then
    local entry = draft(step.key)
    good = entry.live and not entry.claimed
    entry.claimed = true
  elseif step.kind == 'update' then
    local entry = draft(step.key)
    good = entry.live and entry.version == tonumber(step.expected)
    entry.version = (entry.version or 0) + 1
  elseif step.kind == 'require' then
    good = draft(step.key).live
  elseif step.kind == 'delete' then
    drafts[step.key] = {live = false}
  elseif #steps > 1 then
    for _, key in ipairs(members(step.owner)) do draft(key) end
    for _, entry in pairs(drafts) do
      if entry.live and owns(entry.owners, step.owner) then entry.live = false end
    end
  end
  if not good then return {index - 1, read(step.key) or false} end
end

local function delete(key)
  unlist(key, owners_of(key) or '')
  redis.call('DEL', entry_name(key))
end

for _, step in ipairs(steps) do
  local key = step.key
  if step.kind == 'insert' then
    redis.call('HSET', entry_name(key), 'v', step.value, 'n', 1)
    if step.owners ~= '' then
      redis.call('HSET', entry_name(key), 'o', step.owners)
      redis.call('ZADD', by_expiry, now + step.ttl, key .. step.owners)
      each_owner(step.owners, function(owner) redis.call('ZADD', owner_name(owner), 0, key) end)
    end
    redis.call('PEXPIRE', entry_name(key), step.ttl)
  elseif step.kind == 'claim' then
    redis.call('HSET', entry_name(key), 'c', now, 't', step.note)
  elseif step.kind == 'update' then
    redis.call('HSET', entry_name(key), 'v', step.value)
    redis.call('HINCRBY', entry_name(key), 'n', 1)
    if step.ttl ~= '' then
      redis.call('PEXPIRE', entry_name(key), step.ttl)
      local owners = owners_of(key)
      if owners then redis.call('ZADD', by_expiry, now + step.ttl, key .. owners) end
    end
  elseif step.kind == 'delete' then
    delete(key)
  elseif step.kind == 'delete_owned' then
    for _, owned in ipairs(members(step.owner)) do
      if owns(owners_of(owned), step.owner) then
        delete(owned)
      else
        redis.call('ZREM', owner_name(step.owner), owned)
      end
    end
  end
end
return false
