-- The results of stages, for all machines: KEYS[1] is the keep, as asr:{keep}. Of an entry there are
-- its value in entry:KEY, its size in sizes, and how many jobs it belongs to in owners. Sorted sets
-- have those that belong to nobody (loose) and those that do (owned), by when they were last used;
-- of:JOB is the set of a job's, was:JOB that of one that has ended.

local OWNED_S = 3 * 86400  -- a job that was lost owns nothing for ever
local WAS_S = 30 * 86400  -- nor is it known for ever what was a job's
local ENTRY_BYTES = 700  -- what an entry takes beside its value: measured
local LEAVING_MAX = 500  -- entries at once, as everybody else waits meanwhile

local function drop_entry(q, key)
  redis.call('DEL', q .. 'entry:' .. key)
  redis.call('DECRBY', q .. 'bytes', redis.call('HGET', q .. 'sizes', key) or 0)
  redis.call('HDEL', q .. 'sizes', key)
  redis.call('HDEL', q .. 'owners', key)
  redis.call('ZREM', q .. 'loose', key)
  redis.call('ZREM', q .. 'owned', key)
end

-- Those that were not used for the longest go, until the others have room.
local function make_room(q, bytes_max)
  local lost = redis.call('ZRANGEBYSCORE', q .. 'owned', '-inf', now() - OWNED_S, 'LIMIT', 0, PAGE)
  for _, key in ipairs(lost) do drop_entry(q, key) end
  for _ = 1, LEAVING_MAX do
    if tonumber(redis.call('GET', q .. 'bytes') or 0) <= bytes_max then return end
    local oldest = redis.call('ZRANGE', q .. 'loose', 0, 0)[1]
    if not oldest then return end
    drop_entry(q, oldest)
  end
end

-- An entry is used, and belongs to the job from now on, if there is one.
local function use_entry(q, key, job)
  if job ~= '' then
    if redis.call('SADD', q .. 'of:' .. job, key) == 1 then
      redis.call('HINCRBY', q .. 'owners', key, 1)
    end
    redis.call('EXPIRE', q .. 'of:' .. job, OWNED_S)
  end
  if redis.call('HEXISTS', q .. 'owners', key) == 1 then
    redis.call('ZREM', q .. 'loose', key)
    redis.call('ZADD', q .. 'owned', now(), key)
  else
    redis.call('ZADD', q .. 'loose', now(), key)
  end
end

local function keep_put(keys, a)
  local q, job, bytes_max, key, value = keys[1] .. ':', a[1], tonumber(a[2]), a[3], a[4]
  local before = tonumber(redis.call('HGET', q .. 'sizes', key) or 0) -- one that was damaged
  local size = #value + ENTRY_BYTES
  redis.call('HSET', q .. 'sizes', key, size)
  redis.call('SET', q .. 'entry:' .. key, value)
  redis.call('INCRBY', q .. 'bytes', size - before)
  use_entry(q, key, job)
  make_room(q, bytes_max)
  return 1
end

local function keep_get(keys, a)
  local q, job, found = keys[1] .. ':', a[1], {}
  for i = 2, #a do
    local value = redis.call('GET', q .. 'entry:' .. a[i])
    if value then
      use_entry(q, a[i], job)
      found[#found + 1] = a[i]
      found[#found + 1] = value
    end
  end
  return found
end

-- A job is over: what belongs to nobody else may go when there is no room, or goes at once. What was
-- its is remembered if it may yet be dropped.
local function keep_release(keys, a)
  local q, job, bytes_max = keys[1] .. ':', a[1], tonumber(a[2])
  local at_once, for_good = a[3] == 'drop', a[3] == 'for good'
  for _, key in ipairs(redis.call('SMEMBERS', q .. 'of:' .. job)) do
    if redis.call('HINCRBY', q .. 'owners', key, -1) <= 0 then
      redis.call('HDEL', q .. 'owners', key)
      redis.call('ZREM', q .. 'owned', key)
      if redis.call('HEXISTS', q .. 'sizes', key) == 1 then
        if at_once then drop_entry(q, key) else redis.call('ZADD', q .. 'loose', now(), key) end
      end
    end
  end
  local was = q .. 'was:' .. job
  if at_once then
    for _, key in ipairs(redis.call('SMEMBERS', was)) do
      local owned = redis.call('HEXISTS', q .. 'owners', key) == 1
      if not owned and redis.call('HEXISTS', q .. 'sizes', key) == 1 then drop_entry(q, key) end
    end
    redis.call('DEL', was)
  elseif not for_good and redis.call('SUNIONSTORE', was, was, q .. 'of:' .. job) > 0 then
    redis.call('EXPIRE', was, WAS_S)
  end
  redis.call('DEL', q .. 'of:' .. job)
  make_room(q, bytes_max)
  return 1
end
