"""A forwarding rule and its target proxy as Envoy's listener on loopback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import (
    access_log,
    client,
    files,
    http_filters,
    local_replies,
    measurements,
    tls,
)
from sandbox.traffic.load_balancer.armor.policies import Policies
from sandbox.traffic.load_balancer.backends import SCHEMES
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Document

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_KEEP_ALIVE = 610
"""Seconds that Google keeps an idle connection of a client, unless the proxy says otherwise."""
_PROXIES = frozenset({"targetHttpProxies", "targetHttpsProxies"})


class Listener:
    """The way of one forwarding rule."""

    def __init__(
        self, snapshot: Snapshot, surroundings: Surroundings, place: Place, rule: Document
    ) -> None:
        self._snapshot, self._surroundings = snapshot, surroundings
        self.place, self.rule = place, rule
        self._proxy = self._find_proxy()
        self.url_map = self._find_map()
        """The URL map that it leads to; None where the rule leads elsewhere."""

    def _find_proxy(self) -> tuple[Place, Document] | None:
        target = self._snapshot.find(str(self.rule.body.get("target") or ""), self.place.project)
        if target is None or target[0].collection not in _PROXIES:
            return None
        if self.rule.text("loadBalancingScheme") not in SCHEMES:
            self.rule.decline("loadBalancingScheme", "Only Application Load Balancers are here.")
        if self.rule.text("IPProtocol") not in ("", "TCP"):
            self.rule.decline("IPProtocol", "Only TCP is answered.")
        for name in (
            "IPAddress",
            "allowGlobalAccess",
            "ipVersion",
            "network",
            "networkTier",
            "portRange",
            "ports",
            "subnetwork",
            "target",
        ):
            self.rule.value(name)
        return target

    def _find_map(self) -> tuple[Place, Document] | None:
        if self._proxy is None:
            return None
        place, proxy = self._proxy
        return self._snapshot.find(proxy.text("urlMap"), place.project)

    def configuration(self, port: int, policies: Policies, rates: Iterable[str]) -> Json | None:
        """The listener, with the security policies and the sample rates of all backends.

        None where the rule leads to no URL map.
        """
        if self._proxy is None or self.url_map is None:
            return None
        place, proxy = self._proxy
        is_tls = place.collection == "targetHttpsProxies"
        manager = self._manager(policies, is_tls=is_tls)
        manager |= self._logs(place, rates)
        found: dict[str, Any] = {
            "name": self.place.path,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "per_connection_buffer_limit_bytes": 1 << 20,
        }
        if not is_tls:
            return found | {"filter_chains": [{"filters": [manager_filter(manager)]}]}
        if proxy.text("quicOverride") == "ENABLE":
            proxy.decline("quicOverride", "Clients are offered HTTP/2 and HTTP/1.1.")
        if proxy.text("tlsEarlyData") not in ("", "DISABLED"):
            proxy.decline("tlsEarlyData", "No early data is accepted.")
        return found | {
            "listener_filters": [
                {
                    "name": "envoy.filters.listener.tls_inspector",
                    "typed_config": {
                        "@type": f"{TYPE}envoy.extensions.filters.listener.tls_inspector.v3"
                        ".TlsInspector"
                    },
                }
            ],
            "filter_chains": self._tls_chains(place, proxy, manager),
        }

    def _logs(self, proxy: Place, rates: Iterable[str]) -> Json:
        assert self.url_map is not None  # noqa: S101
        places, found = (self.place, proxy, self.url_map[0]), []
        if self._surroundings.access_log is not None:
            found += access_log.loggers(self._surroundings.access_log, rates, *places)
        if self._surroundings.measurements is not None:
            found += measurements.logger(self._surroundings.measurements, *places)
        return {"access_log": found} if found else {}

    def _tls_chains(self, place: Place, proxy: Document, manager: Json) -> list[Json]:
        chains = [
            {
                "name": ",".join(names) or "primary",
                "filter_chain_match": {"server_names": names} if names else {},
                "transport_socket": socket,
                "filters": [manager_filter(manager)],
            }
            for names, socket in tls.chains(self._snapshot, self._surroundings, place, proxy)
        ]
        # A handshake without a certificate fails; Envoy wants a chain even so.
        return chains or [
            {
                "name": "no-certificate",
                "filter_chain_match": {"transport_protocol": "raw_buffer"},
                "filters": [
                    {
                        "name": "envoy.filters.network.direct_response",
                        "typed_config": {
                            "@type": f"{TYPE}envoy.extensions.filters.network.direct_response.v3"
                            ".Config"
                        },
                    }
                ],
            }
        ]

    def _manager(self, policies: Policies, *, is_tls: bool) -> Json:
        assert self._proxy is not None and self.url_map is not None  # noqa: S101, PT018
        idle = self._proxy[1].whole("httpKeepAliveTimeoutSec", _KEEP_ALIVE)
        name = self.url_map[0].path
        address = str(self.rule.body.get("IPAddress", ""))
        settings = client.connection_settings(address, is_tls=is_tls) | local_replies.replies(
            policies
        )
        return settings | {
            "@type": TYPE + _MANAGER,
            "stat_prefix": self.place.name,
            # Google speaks HTTP/2 to clients over TLS alone.
            "codec_type": "AUTO" if is_tls else "HTTP1",
            "rds": {
                "route_config_name": name,
                "config_source": files.source(self._surroundings.folder, files.routes_file(name)),
            },
            "http_filters": http_filters.chain(has_callouts=self._surroundings.has_callouts),
            "common_http_protocol_options": {"idle_timeout": f"{idle}s"},
            "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "-"},
            "stream_idle_timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
        }


def manager_filter(manager: Json) -> Json:
    """The network filter of a connection manager."""
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
