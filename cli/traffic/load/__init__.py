"""An open-loop load: requests are sent at their times, whether or not earlier ones have ended.

A latency is measured from the time at which the request was to be sent. So a server that stalls
shows as many slow requests as its callers would have had, not as one. `sending.py` has the load,
`schedule.py` its times, `places.py` what sends one request at a time by each protocol.
"""

from cli.traffic.load.sending import OnTick, run

__all__ = ["OnTick", "run"]
