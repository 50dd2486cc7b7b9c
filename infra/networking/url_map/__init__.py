"""The load balancer's URL map: which host and path goes to which version of which model.

`versions` says what needs a backend service, `matchers` plans host rules and path matchers from the
models' paths, verbs and rewrites, `expectations` plans the map's tests, and `arguments` and
`actions` turn the plan into the resource's arguments. The resource itself is in `frontend`, the
backend services are in `backends`.
"""
