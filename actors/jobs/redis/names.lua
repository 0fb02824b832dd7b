-- By which names the functions are called: the last of these texts.

-- What frees memory, or must not be lost, is done also where there is none left.
local function add(name, callback, flag)
  redis.register_function({function_name = 'VERSION_' .. name, callback = callback, flags = {flag}})
end

add('submit', submit)
add('events', events, 'allow-oom')
add('take', take, 'allow-oom')
add('untake', untake, 'allow-oom')
add('give_back', give_back, 'allow-oom')
add('tell', tell, 'allow-oom')
add('piece', piece, 'allow-oom')
add('finish', finish, 'allow-oom')
add('cancel', cancel, 'allow-oom')
add('forget', forget, 'allow-oom')
add('beat', beat, 'allow-oom')
add('leave', leave, 'allow-oom')
add('take_notice', take_notice, 'allow-oom')
add('settle', settle, 'allow-oom')
add('standing', standing, 'no-writes')
add('list', list, 'no-writes')
add('result', result, 'no-writes')
add('ended', ended, 'no-writes')
add('stats', stats, 'no-writes')
add('keep_put', keep_put)
add('keep_get', keep_get, 'allow-oom')
add('keep_release', keep_release, 'allow-oom')
