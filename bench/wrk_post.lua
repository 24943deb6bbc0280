-- wrk_post.lua -- a JSON body to the URL that wrk was given: wrk ... URL -- BYTES (its text's; 100).
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  wrk.body = '{"words":"' .. string.rep("x", tonumber(args[1]) or 100) .. '"}'
end
