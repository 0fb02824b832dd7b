#!lua name=VERSION
-- The queue of jobs as it lies in Redis or Valkey: whatever must be whole is one function here.
--
-- KEYS[1] is the queue, as asr:{jobs}; all its keys begin with it. Of a job:
--   job:ID     hash: what it is and how it stands; its owner is the token of the worker that has it
--   events:ID  stream, whose entries are numbered 1-0, 2-0, ...
--   told:ID    hash: how many events of each kind its workers have told
--   heard:ID   set: processes that listen to it
--   result:ID:N pieces of its result
-- Sorted sets say who is next: ring:PRIORITY has clients by turn, and line:PRIORITY:CLIENT the jobs
-- of each, with their lanes. Others have jobs: waiting and held those that wait, by time; leases those
-- at work, by when they are lost; all and of:CLIENT the durable ones, by age; ended those, by time;
-- notices webhooks to be told, by when they are due. open:CLIENT is the set of those not ended.
-- A process has an inbox, a stream of hints where to look; alive:PROCESS says that it is there. What
-- has no inbox any more is told nothing, and forgotten where it was to be told.

local INBOX_MAX = 10000
local INBOX_S = 900     -- longer than a process can be frozen and still be of use
local HELD_S = 120      -- what is left of a job with nobody at the other end
local RETRY_S = 120     -- longer than a call is tried again
local PAGE = 64
local FURTHER = 'segment'  -- an event that shows that a job has come further
local TRIES_ALL_MAX = 10   -- that a job may lose, however far it comes
local EVENTS_MAX = 100000  -- more than the words of a day; its end is told all the same

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function nudge(q, process, what, which)
  return redis.call('XADD', q .. 'inbox:' .. process, 'NOMKSTREAM', 'MAXLEN', '~', INBOX_MAX, '*',
    what, which)
end

local function nudge_all(q, who, what, which)
  for _, process in ipairs(redis.call('SMEMBERS', who)) do
    if not nudge(q, process, what, which) then redis.call('SREM', who, process) end
  end
end

local function does(lanes, lane)
  return lanes == '*' or lane == '' or string.find(lanes, '\n' .. lane .. '\n', 1, true) ~= nil
end

-- Every loop of workers that found nothing, and could do this, looks again.
local function wake(q, lane)
  local hungry = redis.call('HGETALL', q .. 'hungry')
  for i = 1, #hungry, 2 do
    if does(hungry[i + 1], lane) then
      redis.call('HDEL', q .. 'hungry', hungry[i])
      nudge(q, string.match(hungry[i], '^[^/]+'), 'work', '')
    end
  end
end

local function event(q, id, kind, data)
  local number = redis.call('HINCRBY', q .. 'job:' .. id, 'number', 1)
  redis.call('XADD', q .. 'events:' .. id, number .. '-0', 'k', kind, 'd', data)
  if kind == 'progress' then redis.call('HSET', q .. 'job:' .. id, 'progress', data) end
end

local function lowest(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or 0)
end

-- A job waits: behind those of its client, or before them, and then the client's turn is the next.
local function enqueue(q, id, to_front)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'client', 'lane', 'priority', 'durable', 'since')
  local ring = q .. 'ring:' .. job[3]
  local line = q .. 'line:' .. job[3] .. ':' .. job[1]
  local turn = redis.call('INCR', q .. 'turn')
  if to_front then
    redis.call('ZADD', ring, lowest(ring) - 1, job[1])
    redis.call('ZADD', line, lowest(line) - 1, job[2] .. '\n' .. id)
  else
    redis.call('ZADD', ring, 'NX', turn, job[1])
    redis.call('ZADD', line, turn, job[2] .. '\n' .. id)
  end
  redis.call('ZADD', q .. 'waiting', job[5], id)
  if job[4] == '0' then redis.call('ZADD', q .. 'held', job[5], id) end
  wake(q, job[2])
end

local function unqueue(q, id)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'client', 'lane', 'priority')
  local line = q .. 'line:' .. job[3] .. ':' .. job[1]
  redis.call('ZREM', line, job[2] .. '\n' .. id)
  if redis.call('EXISTS', line) == 0 then redis.call('ZREM', q .. 'ring:' .. job[3], job[1]) end
  redis.call('ZREM', q .. 'waiting', id)
  redis.call('ZREM', q .. 'held', id)
end

local function pieces(q, id)
  local keys = {}
  for i = 1, tonumber(redis.call('HGET', q .. 'job:' .. id, 'pieces') or 0) do
    keys[i] = q .. 'result:' .. id .. ':' .. i
  end
  return keys
end

local function end_job(q, id, state, failure)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'client', 'durable', 'webhook')
  local time = now()
  redis.call('HSET', q .. 'job:' .. id, 'state', state, 'ended', time, 'owner', '')
  if failure ~= '' then redis.call('HSET', q .. 'job:' .. id, 'failure', failure) end
  redis.call('ZREM', q .. 'leases', id)
  redis.call('DEL', q .. 'told:' .. id)
  event(q, id, state, failure ~= '' and '{"error":' .. failure .. '}' or '{}')
  nudge_all(q, q .. 'heard:' .. id, 'job', id)
  if job[2] == '0' then
    for _, key in ipairs({'job:' .. id, 'events:' .. id, 'heard:' .. id}) do
      redis.call('EXPIRE', q .. key, HELD_S)
    end
    for _, key in ipairs(pieces(q, id)) do redis.call('EXPIRE', key, HELD_S) end
    return
  end
  redis.call('ZADD', q .. 'ended', time, id)
  redis.call('SREM', q .. 'open:' .. job[1], id)
  if job[3] ~= '' then
    redis.call('HSET', q .. 'job:' .. id, 'attempt', 0)
    redis.call('ZADD', q .. 'notices', time, id)
    nudge_all(q, q .. 'tellers', 'notice', '')
  end
end

local function submit(keys, a)
  local q, id = keys[1] .. ':', a[1]
  local nonce, process, client, lane, priority, durable = a[2], a[3], a[4], a[5], a[6], a[7]
  local known = redis.call('HGET', q .. 'job:' .. id, 'nonce')
  if known then return known == nonce and 'new' or 'known' end
  local held = redis.call('ZCARD', q .. 'held')
  if durable == '0' then
    if held >= tonumber(a[13]) then return 'full' end
  else
    if redis.call('ZCARD', q .. 'waiting') - held >= tonumber(a[12]) then return 'full' end
    if a[14] ~= '' and redis.call('SCARD', q .. 'open:' .. client) >= tonumber(a[14]) then
      return 'share'
    end
  end
  redis.call('HSET', q .. 'job:' .. id, 'state', 'queued', 'nonce', nonce, 'front', process,
    'client', client, 'lane', lane, 'priority', priority, 'durable', durable, 'webhook', a[8],
    'label', a[9], 'created', a[10], 'work', a[11], 'since', now(), 'tries', 0, 'number', 0,
    'owner', '')
  if durable == '1' then
    local age = redis.call('INCR', q .. 'age')
    redis.call('ZADD', q .. 'all', age, id)
    redis.call('ZADD', q .. 'of:' .. client, age, id)
    redis.call('SADD', q .. 'open:' .. client, id)
  end
  enqueue(q, id, false)
  return 'new'
end
