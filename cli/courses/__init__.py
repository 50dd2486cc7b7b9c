"""The course of a drill or a load: what became of its requests by second, with its events.

`course` is the data, `following` makes it of a load that runs, `record` keeps it on this machine
meanwhile, and `drawing` makes a chart of it.
"""
