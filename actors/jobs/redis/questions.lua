-- What is asked of the queue, and what is told of it. This goes on where workers.lua ends.

-- Of more clients than these a sum is an estimate: to look at each takes the server's time.
local CLIENTS_MAX = 100

-- The sum over the lines of clients of a priority, from one place in their ring to another.
local function over_lines(q, priority, from, to, of_line)
  local sum, seen = 0, math.min(CLIENTS_MAX, to - from + 1)
  if seen <= 0 then return 0 end
  for _, client in ipairs(redis.call('ZRANGE', q .. 'ring:' .. priority, from, from + seen - 1)) do
    sum = sum + of_line(redis.call('ZCARD', q .. 'line:' .. priority .. ':' .. client))
  end
  return math.floor(sum * (to - from + 1) / seen)
end

-- How many of the same priority go before a job: clients take turns, one job each.
local function ahead(q, job, id)
  local ring, line = q .. 'ring:' .. job[3], q .. 'line:' .. job[3] .. ':' .. job[1]
  local index = redis.call('ZRANK', line, job[2] .. '\n' .. id) or 0
  local turn, last = redis.call('ZRANK', ring, job[1]) or 0, redis.call('ZCARD', ring) - 1
  local before = over_lines(q, job[3], 0, turn - 1, function(n) return math.min(n, index + 1) end)
  local after = over_lines(q, job[3], turn + 1, last, function(n) return math.min(n, index) end)
  return index + before + after
end

local function waiting_in(q, priority)
  local last = redis.call('ZCARD', q .. 'ring:' .. priority) - 1
  return over_lines(q, priority, 0, last, function(n) return n end)
end

-- The place of a waiting job, from 1, if nobody else comes; as next_up() would take them for who can
-- do any, and trusts all.
local function place(q, id, overtaken_max)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'client', 'lane', 'priority')
  local before = ahead(q, job, id)
  local free = math.max(0, overtaken_max - tonumber(redis.call('GET', q .. 'overtaken') or 0))
  local others = waiting_in(q, job[3] == '0' and 1 or 0)
  if job[3] == '1' then return 1 + before + math.min(others, free + before * overtaken_max) end
  if before < free then return 1 + before end
  return 1 + before + math.min(others, math.floor((before - free) / overtaken_max) + 1)
end

local function stood(q, id, overtaken_max, with_work)
  local key = q .. 'job:' .. id
  local job = redis.call('HMGET', key, 'client', 'lane', 'priority', 'durable', 'webhook', 'label',
    'created', 'state', 'tries', 'started', 'ended', 'progress', 'failure')
  if not job[8] then return nil end
  for i = 1, 13 do job[i] = job[i] or '' end
  job[14] = job[8] == 'queued' and tostring(place(q, id, overtaken_max)) or ''
  job[15] = with_work and redis.call('HGET', key, 'work') or ''
  job[16] = id
  return job
end

local function standing(keys, a)
  return stood(keys[1] .. ':', a[1], tonumber(a[2]), true)
end

local function list(keys, a)
  local q, from = keys[1] .. ':', '+inf'
  local set = a[1] == '*' and q .. 'all' or q .. 'of:' .. string.sub(a[1], 2)
  if a[2] ~= '' then
    local age = redis.call('ZSCORE', q .. 'all', a[2])
    if not age then return -1 end
    from = '(' .. age
  end
  local found = {}
  for _, id in ipairs(redis.call('ZREVRANGEBYSCORE', set, from, '-inf', 'LIMIT', 0, a[3])) do
    found[#found + 1] = stood(q, id, tonumber(a[4]), false)
  end
  return found
end

-- What has happened after a number, and that this process wants to be told of more.
local function events(keys, a)
  local q, id, process = keys[1] .. ':', a[1], a[2]
  local job = redis.call('HMGET', q .. 'job:' .. id, 'state', 'number')
  if not job[1] then return nil end
  local ended = job[1] ~= 'queued' and job[1] ~= 'running'
  if not ended then redis.call('SADD', q .. 'heard:' .. id, process) end
  local news = redis.call('XRANGE', q .. 'events:' .. id, '(' .. a[3] .. '-0', '+', 'COUNT', a[4])
  local told = {}
  for _, entry in ipairs(news) do
    told[#told + 1] = {string.match(entry[1], '^%d+'), entry[2][2], entry[2][4]}
  end
  local last = tonumber(told[#told] and told[#told][1] or a[3])
  return {(ended and last >= tonumber(job[2])) and 1 or 0, told}
end

local function result(keys, a)
  local q, id = keys[1] .. ':', a[1]
  if redis.call('HGET', q .. 'job:' .. id, 'state') ~= 'done' then return -1 end
  return tonumber(redis.call('HGET', q .. 'job:' .. id, 'pieces'))
end

local function ended(keys, a)
  local q, before, limit, kept = keys[1] .. ':', a[1], tonumber(a[2]), tonumber(a[3])
  local late = redis.call('ZRANGEBYSCORE', q .. 'ended', '-inf', '(' .. before, 'LIMIT', 0, limit)
  local over = math.min(limit, redis.call('ZCARD', q .. 'ended') - kept)
  if over > #late then return redis.call('ZRANGE', q .. 'ended', 0, over - 1) end
  return late
end

local function stats(keys)
  local q = keys[1] .. ':'
  local first = redis.call('ZRANGE', q .. 'waiting', 0, 0, 'WITHSCORES')
  local oldest = first[2] and math.max(0, now() - tonumber(first[2])) or 0
  return {redis.call('ZCARD', q .. 'waiting'), redis.call('ZCARD', q .. 'leases'), tostring(oldest),
    redis.call('ZCARD', q .. 'held')}
end

-- The notice that is due, or in how many seconds the next one is: '' if there is none.
local function take_notice(keys, a)
  local q, process, time = keys[1] .. ':', a[1], now()
  local next_one = redis.call('ZRANGE', q .. 'notices', 0, 0, 'WITHSCORES')
  redis.call('SADD', q .. 'tellers', process)
  if not next_one[1] then return {''} end
  if tonumber(next_one[2]) > time then return {tostring(tonumber(next_one[2]) - time)} end
  redis.call('ZADD', q .. 'notices', time + tonumber(a[2]), next_one[1])
  local attempt = redis.call('HINCRBY', q .. 'job:' .. next_one[1], 'attempt', 1)
  return {next_one[1], redis.call('HGET', q .. 'job:' .. next_one[1], 'webhook'), attempt}
end

local function settle(keys, a)
  local q, id, attempt, again = keys[1] .. ':', a[1], a[2], a[3]
  if again == '' then
    redis.call('ZREM', q .. 'notices', id)
  elseif redis.call('HGET', q .. 'job:' .. id, 'attempt') == attempt then
    redis.call('ZADD', q .. 'notices', 'XX', again, id)
    nudge_all(q, q .. 'tellers', 'notice', '')
  end
  return 1
end
