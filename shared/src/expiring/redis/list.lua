local owner, limit = ARGV[2], tonumber(ARGV[4])
local start = '-'
if ARGV[3] ~= '' then start = '(' .. ARGV[3] end
local rows = {}
while #rows < limit do
  local wanted = limit - #rows
  local keys = redis.call('ZRANGE', owner_name(owner), start, '+', 'BYLEX', 'LIMIT', 0, wanted)
  for _, key in ipairs(keys) do
    if owns(owners_of(key), owner) then
      local row = read(key)
      if row then rows[#rows + 1] = {key, row} end
    end
    start = '(' .. key
  end
  if #keys < wanted then break end
end
return rows
