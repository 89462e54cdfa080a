-- The first call opens the window.
local name = ARGV[1] .. 'c:' .. ARGV[2]
local count = redis.call('INCR', name)
if count == 1 then redis.call('PEXPIRE', name, ARGV[3]) end
return { count, math.max(redis.call('PTTL', name), 0) }
