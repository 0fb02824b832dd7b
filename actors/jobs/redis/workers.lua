-- What workers do: they take jobs, tell of them, end them, and say that they are still there. This
-- goes on where functions.lua ends.

-- The members of a sorted set in their order, a page at a time.
local function each(key)
  local page, at, from = {}, 0, 0
  return function()
    at = at + 1
    if at > #page then
      page, at = redis.call('ZRANGE', key, from, from + PAGE - 1), 1
      from = from + PAGE
    end
    return page[at]
  end
end

-- The job whose turn it is, of those of a priority that these lanes may do, and its client; where it
-- must be trusted, none that has lost a try.
local function first(q, priority, lanes, trusted)
  for client in each(q .. 'ring:' .. priority) do
    for member in each(q .. 'line:' .. priority .. ':' .. client) do
      local lane, id = string.match(member, '^([^\n]*)\n(.*)$')
      if does(lanes, lane)
        and (not trusted or redis.call('HGET', q .. 'job:' .. id, 'tries') == '0') then
        return id, client
      end
    end
  end
  return nil
end

-- Interactive before batch, but one of these goes when so many have passed it.
local function next_up(q, lanes, overtaken_max, trusted)
  local passed = tonumber(redis.call('GET', q .. 'overtaken') or 0)
  local batch_waits = redis.call('EXISTS', q .. 'ring:1') == 1
  local priority = batch_waits and passed >= overtaken_max and 1 or 0
  local id, client = first(q, priority, lanes, trusted)
  if not id then
    priority = 1 - priority
    id, client = first(q, priority, lanes, trusted)
  end
  if not id then return nil end
  redis.call('SET', q .. 'overtaken', (batch_waits and priority == 0) and passed + 1 or 0)
  unqueue(q, id)
  redis.call('ZADD', q .. 'ring:' .. priority, 'XX', redis.call('INCR', q .. 'turn'), client)
  return id
end

-- Nobody was heard of for a while: the server was away, and everybody has a lease's time to say that
-- he is still there. All say so three times in a lease's time, so half of it is a while: who spoke
-- last before could else be late only because of that.
local function quiet(q, lease)
  local pulse = redis.call('GET', q .. 'pulse')
  return (pulse and now() - tonumber(pulse) > lease / 2) or redis.call('EXISTS', q .. 'grace') == 1
end

-- Nobody waits for this any more.
local function given_up(q, id, lease)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'durable', 'front')
  return job[1] == '0' and redis.call('EXISTS', q .. 'alive:' .. job[2]) == 0
    and not quiet(q, lease)
end

local function taken(q, id)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'client', 'lane', 'priority', 'durable',
    'webhook', 'label', 'created', 'work', 'tries')
  return {id, job, redis.call('HGETALL', q .. 'told:' .. id)}
end

local function owns(q, id, token)
  return redis.call('HGET', q .. 'job:' .. id, 'owner') == token
end

-- Asked again, because the answer was lost, it is the same job: unless somebody else has that by now.
local function take(keys, a)
  local q, worker, token, lanes = keys[1] .. ':', a[1], a[2], a[3]
  local mine = redis.call('GET', q .. 'token:' .. token)
  if mine == '' then return nil end
  if mine and owns(q, mine, token) then return taken(q, mine) end
  local overtaken_max, trusted = tonumber(a[5]), a[6] == '1'
  local id = next_up(q, lanes, overtaken_max, trusted)
  while id and given_up(q, id, tonumber(a[4])) do
    end_job(q, id, 'cancelled', '')
    id = next_up(q, lanes, overtaken_max, trusted)
  end
  if not id then
    redis.call('HSET', q .. 'hungry', worker, lanes)
    return nil
  end
  redis.call('HINCRBY', q .. 'job:' .. id, 'tries', 1)
  redis.call('HSET', q .. 'job:' .. id, 'state', 'running', 'owner', token, 'batch', 0,
    'worker', string.match(worker, '^[^/]+'))
  redis.call('HSETNX', q .. 'job:' .. id, 'started', now())
  redis.call('ZADD', q .. 'leases', now() + tonumber(a[4]), id)
  redis.call('SET', q .. 'token:' .. token, id, 'EX', RETRY_S)
  return taken(q, id)
end

local function requeue(q, id)
  redis.call('HSET', q .. 'job:' .. id, 'state', 'queued', 'owner', '')
  redis.call('ZREM', q .. 'leases', id)
  enqueue(q, id, true)
end

-- Its process has died at it, or as good as: another try, if there is one left since it came
-- further, and in all.
local function lose(q, id, tries_max, poison)
  local job = redis.call('HMGET', q .. 'job:' .. id, 'tries', 'spared', 'told')
  if not job[1] then
    redis.call('ZREM', q .. 'leases', id)
    return
  end
  local told = tonumber(redis.call('HGET', q .. 'told:' .. id, FURTHER) or 0)
  local further = told > tonumber(job[3] or 0)
  if further then redis.call('HSET', q .. 'job:' .. id, 'spared', job[1], 'told', told) end
  local left = further or tonumber(job[1]) - tonumber(job[2] or 0) < tries_max
  if left and tonumber(job[1]) < TRIES_ALL_MAX then
    requeue(q, id)
  else
    end_job(q, id, 'failed', poison)
  end
end

-- Whoever asked for a job with this token has left: it goes back, also if the question comes later.
local function untake(keys, a)
  local q, token = keys[1] .. ':', a[1]
  local id = redis.call('GET', q .. 'token:' .. token)
  redis.call('SET', q .. 'token:' .. token, '', 'EX', RETRY_S)
  if id and id ~= '' and owns(q, id, token) then
    redis.call('HINCRBY', q .. 'job:' .. id, 'tries', -1)
    requeue(q, id)
  end
  return 1
end

-- A job goes back to its place; what went wrong may have cost it a try.
local function give_back(keys, a)
  local q, id, token = keys[1] .. ':', a[1], a[2]
  if not owns(q, id, token) then return 0 end
  if a[3] == '1' then
    lose(q, id, tonumber(a[4]), a[5])
  else
    redis.call('HINCRBY', q .. 'job:' .. id, 'tries', -1)
    requeue(q, id)
  end
  return 1
end

-- Events from a[from] on; a batch that came already, because its answer was lost, is not told twice.
local function tell_batch(q, id, number, a, from)
  local job = q .. 'job:' .. id
  if tonumber(redis.call('HGET', job, 'batch')) >= tonumber(number) then return end
  redis.call('HSET', job, 'batch', number)
  for i = from, #a, 2 do
    if tonumber(redis.call('HGET', job, 'number')) < EVENTS_MAX then event(q, id, a[i], a[i + 1]) end
    redis.call('HINCRBY', q .. 'told:' .. id, a[i], 1)
  end
  nudge_all(q, q .. 'heard:' .. id, 'job', id)
end

local function tell(keys, a)
  local q, id, token = keys[1] .. ':', a[1], a[2]
  if not owns(q, id, token) then return 0 end
  tell_batch(q, id, a[3], a, 4)
  return 1
end

-- A piece of a result that is too large to be moved at once, by its number.
local function piece(keys, a)
  redis.call('SET', keys[1] .. ':piece:' .. a[1] .. ':' .. a[2], a[3], 'EX', a[4])
  return 1
end

-- The end of a job, its last events and its result: inline, or in pieces that were sent before. -1 if
-- the server has lost one of them since.
local function finish(keys, a)
  local q, id, token, state, failure = keys[1] .. ':', a[1], a[2], a[3], a[4]
  if not owns(q, id, token) then return 0 end
  local count = tonumber(a[5])
  for i = 1, count > 1 and count or 0 do
    if redis.call('EXISTS', q .. 'piece:' .. token .. ':' .. i) == 0 then return -1 end
  end
  tell_batch(q, id, a[7], a, 8)
  redis.call('HSET', q .. 'job:' .. id, 'pieces', count)
  for i, key in ipairs(pieces(q, id)) do
    if count == 1 then
      redis.call('SET', key, a[6])
    else
      redis.call('RENAME', q .. 'piece:' .. token .. ':' .. i, key)
      redis.call('PERSIST', key)
    end
  end
  end_job(q, id, state, failure)
  return 1
end

-- Said again with the same nonce, because the answer was lost, it is the same answer.
local function cancel(keys, a)
  local q, id, nonce = keys[1] .. ':', a[1], a[2]
  local job = redis.call('HMGET', q .. 'job:' .. id, 'state', 'owner', 'worker', 'cancel')
  if not job[1] then return -1 end
  if job[1] == 'queued' then
    unqueue(q, id)
  elseif job[1] == 'running' then
    nudge(q, job[3], 'stop', job[2])
  else
    return nonce and job[4] == nonce and 1 or 0
  end
  end_job(q, id, 'cancelled', '')
  if nonce then redis.call('HSET', q .. 'job:' .. id, 'cancel', nonce) end
  return 1
end

local function forget(keys, a)
  local q, id = keys[1] .. ':', a[1]
  if cancel(keys, a) == -1 then return -1 end
  local client = redis.call('HGET', q .. 'job:' .. id, 'client')
  nudge_all(q, q .. 'heard:' .. id, 'job', id)
  for _, key in ipairs(pieces(q, id)) do redis.call('DEL', key) end
  redis.call('DEL', q .. 'job:' .. id, q .. 'events:' .. id, q .. 'told:' .. id, q .. 'heard:' .. id)
  for _, set in ipairs({'all', 'of:' .. client, 'ended', 'notices'}) do
    redis.call('ZREM', q .. set, id)
  end
  return 1
end

-- A process says that it is there, and that it still has its jobs; it hears what it has missed.
-- What others have lost is put back by whoever notices first.
local function beat(keys, a)
  local q, process, lease, read = keys[1] .. ':', a[1], tonumber(a[2]), a[3]
  local tries_max, poison = tonumber(a[4]), a[5]
  local inbox, time = q .. 'inbox:' .. process, now()
  local missed, stops = 0, {}
  if redis.call('EXISTS', inbox) == 0 or redis.call('XLEN', inbox) >= INBOX_MAX then
    redis.call('DEL', inbox)
    redis.call('XADD', inbox, '*', 'hello', '')
    missed = 1
  else
    redis.call('XTRIM', inbox, 'MINID', read)
  end
  redis.call('EXPIRE', inbox, INBOX_S)
  redis.call('SET', q .. 'alive:' .. process, 1, 'PX', math.ceil(lease * 2000))
  if quiet(q, lease) then
    redis.call('SET', q .. 'grace', 1, 'NX', 'PX', math.ceil(lease * 1000))
  end
  redis.call('SET', q .. 'pulse', time)
  for i = 6, #a, 2 do
    local id, token = a[i], a[i + 1]
    if not owns(q, id, token) then
      stops[#stops + 1] = token
    elseif given_up(q, id, lease) then
      end_job(q, id, 'cancelled', '')
      stops[#stops + 1] = token
    else
      redis.call('ZADD', q .. 'leases', time + lease, id)
    end
  end
  if not quiet(q, lease) then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', q .. 'leases', '-inf', time, 'LIMIT', 0, PAGE)) do
      lose(q, id, tries_max, poison)
    end
    for _, id in ipairs(redis.call('ZRANGE', q .. 'held', 0, -1)) do
      if given_up(q, id, lease) then
        unqueue(q, id)
        end_job(q, id, 'cancelled', '')
      end
    end
  end
  return {missed, stops}
end

local function leave(keys, a)
  local q, process = keys[1] .. ':', a[1]
  for _, worker in ipairs(redis.call('HKEYS', q .. 'hungry')) do
    if string.match(worker, '^[^/]+') == process then redis.call('HDEL', q .. 'hungry', worker) end
  end
  redis.call('DEL', q .. 'alive:' .. process, q .. 'inbox:' .. process)
  return 1
end
