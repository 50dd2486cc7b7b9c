"""platformctl: the platform's command line. It prints data on stdout and messages on stderr."""

import gc

# A command runs for seconds and keeps most of its objects: collecting cycles every 700 allocations
# takes a tenth of its time.
gc.set_threshold(100_000, 50, 100)
