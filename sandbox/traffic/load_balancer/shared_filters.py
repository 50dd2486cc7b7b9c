"""Filter configuration that many routes have, said once.

A security policy is long, and usually the same for all backends. It is moved from the routes to the
route configuration, so that a change of weights stays small with hundreds of models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.route_actions import TYPE

_KEY = "typed_per_filter_config"
_OFF: Json = {"@type": f"{TYPE}envoy.config.route.v3.FilterConfig", "disabled": True}


def lift(hosts: list[Json], filters: Iterable[str]) -> Json:
    """Take the commonest configuration of each filter out of the routes, and return it.

    Whatever is without it, such as a redirect, switches the filter off.
    """
    holders = list(_holders(hosts))
    shared: Json = {}
    for name in filters:
        found = Counter(
            msgspec.json.encode(one[_KEY][name]) for one in holders if name in one.get(_KEY, {})
        )
        if not found:
            continue
        commonest = msgspec.json.decode(found.most_common(1)[0][0])
        shared[name] = commonest
        for one in holders:
            own = one.setdefault(_KEY, {})
            if name not in own:
                own[name] = dict(_OFF)
            elif own[name] == commonest:
                del own[name]
    for one in holders:
        if not one.get(_KEY, True):
            del one[_KEY]
    return {_KEY: shared} if shared else {}


def _holders(hosts: list[Json]) -> Iterator[Any]:
    """Whatever may have filters of its own: a route, or each cluster of a weighted one."""
    for host in hosts:
        for route in host["routes"]:
            weighted = route.get("route", {}).get("weighted_clusters")
            yield from weighted["clusters"] if weighted else [route]
