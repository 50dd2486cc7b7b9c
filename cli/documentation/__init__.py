"""`platformctl docs`: the Markdown documents of the repository as a site with search.

`sources` says which documents are pages, and in what order; `build` runs Zensical on a copy,
and `offline` adds what pages would fetch elsewhere.
"""
