local prefix = ARGV[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function entry_name(key) return prefix .. 'e:' .. key end
local function owner_name(owner) return prefix .. 'o:' .. owner end
local by_expiry = prefix .. 'x'

-- value, version, age of the claim or -1, note, life left; nil where there is none
local function read(key)
  local found = redis.call('HMGET', entry_name(key), 'v', 'n', 'c', 't')
  if not found[1] then return nil end
  local age = -1
  if found[3] then age = math.max(0, now - found[3]) end
  return {found[1], found[2], age, found[4] or '', math.max(0, redis.call('PTTL', entry_name(key)))}
end

-- Owners are joined by a null byte.
local function each_owner(owners, act)
  for owner in string.gmatch(owners or '', '[^%z]+') do act(owner) end
end

local function owns(owners, wanted)
  local found = false
  each_owner(owners, function(owner) found = found or owner == wanted end)
  return found
end

-- The owners of the entry that is there now: another one may have had the key before.
local function owners_of(key) return redis.call('HGET', entry_name(key), 'o') end

-- Takes a key that expired or goes off the lists of owners.
local function unlist(key, owners)
  redis.call('ZREM', by_expiry, key .. owners)
  each_owner(owners, function(owner) redis.call('ZREM', owner_name(owner), key) end)
end
