"""platformctl: the platform's command line. It prints data on stdout and talks on stderr."""

import gc

# A command lives for seconds and its objects for as long: looking for cycles among them every 700
# allocations is a tenth of its time.
gc.set_threshold(100_000, 50, 100)
