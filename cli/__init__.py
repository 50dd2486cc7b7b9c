"""platformctl: the platform's command line. It prints data on stdout and messages on stderr."""

import atexit
import gc

# A command runs for seconds and keeps most of its objects: collecting cycles every 700 allocations
# takes a tenth of its time, and every 100,000 still 0.06 s of judging 1,000 objects.
gc.set_threshold(500_000, 50, 100)

# At exit the interpreter would search all that is left for cycles: 0.15 s after the same command.
atexit.register(gc.freeze)
