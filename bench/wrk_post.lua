-- wrk_post.lua -- a small JSON body to the URL that wrk was given.
wrk.method = "POST"
wrk.body = '{"words":"' .. string.rep("x", 100) .. '"}'
wrk.headers["Content-Type"] = "application/json"
