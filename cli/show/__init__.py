"""`platformctl show`: an environment as one page.

`planned` reads the stack file, `cluster` the live objects, `layers` the stacks' states. `picture`
joins them to plain data, which is what `--json` prints; `page` writes it as HTML.
"""
