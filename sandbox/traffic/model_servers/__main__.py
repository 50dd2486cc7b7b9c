"""`python -m sandbox.traffic.model_servers --home HOME`: answers for all pods until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path

import uvloop

from sandbox.home import Home, write_private
from sandbox.traffic.model_servers.clusters import Clusters
from sandbox.traffic.model_servers.control import Control
from sandbox.traffic.model_servers.fleet import Fleet


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.traffic.model_servers")
    parser.add_argument("--home", type=Path, required=True, help="the sandbox's home")
    home = Home(parser.parse_args().home.absolute())
    if not home.token.is_file():
        print(f"{home.path} is no sandbox's home: it has no token", file=sys.stderr)
        return 2
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # A pod has a socket for each port and connection: 1,024, the usual limit, are soon used up.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    runner.run(_serve(home))
    # Not by closing the loop: uvloop's waits for connections that were accepted at the last moment.
    logging.shutdown()
    os._exit(0)


async def _serve(home: Home) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    home.traffic.mkdir(parents=True, exist_ok=True)
    fleet = Fleet.to(home.dial_plan)
    fleet.flush()  # what an earlier process left names ports that no longer exist
    control = Control(fleet)
    listener, port = await control.start()
    record = home.model_servers
    write_private(record, json.dumps({"port": port, "pid": os.getpid()}))
    clusters = asyncio.create_task(Clusters(home, fleet).run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({clusters, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (clusters, stopped):
            task.cancel()
        results = await asyncio.gather(clusters, stopped, return_exceptions=True)
        with contextlib.suppress(OSError):
            record.unlink(missing_ok=True)
        fleet.close()
        listener.close()
        control.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


if __name__ == "__main__":
    sys.exit(main())
