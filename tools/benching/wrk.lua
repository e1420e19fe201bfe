-- Requests for wrk, and its results as one line of JSON.
-- Arguments: a file of request heads, each followed by a NUL byte, asked for in turn; or "once" and a file with one head,
-- in which {n} becomes a number that never comes again.
local heads, number, at = {}, nil, 0

function init(args)
  local once = args[1] == "once"
  local file = assert(io.open(args[once and 2 or 1], "rb"))
  for head in file:read("*a"):gmatch("[^%z]+") do heads[#heads + 1] = head end
  file:close()
  if once then
    number = 0
    local before, after = heads[1]:match("^(.-){n}(.*)$")
    request = function()
      number = number + 1
      return before .. number .. after
    end
  else
    local count = #heads
    request = function()
      at = at % count + 1
      return heads[at]
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%d,"microseconds":%d,"failures":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
