"""`platformctl top`: what runs in an environment, on a terminal.

`figures` picks rows from a picture of `cli.show`: what `--json` prints, and `table` shows.
"""
