"""The requests of our own plugin for the programs of an environment. Not a test.

The real programs run against mocks that hand each resource of Google Cloud to the plugin, as the
engine would, and the plugin talks to the emulated API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from pulumi.runtime import mocks

from declared import program, run_environment
from declared.cloud import CloudMocks
from sandbox.plugins.gcp.client import Client
from sandbox.plugins.values import reveal
from tests.sandbox.gcp.official_traffic import Sent
from tests.sandbox.plugins.gcp_plugin_api import Api
from tests.sandbox.plugins.gcp_plugin_harness import Engine

_PROVIDER = "pulumi:providers:gcp"
_GET_GROUP = "gcp:compute/getNetworkEndpointGroup:getNetworkEndpointGroup"
Json = dict[str, Any]


def of(environment: str, api: Api) -> list[Sent]:
    """What the plugin sends to bring up an environment from nothing, in order."""
    sent: list[Sent] = []
    engines: list[Engine] = []

    class PluginMocks(CloudMocks):
        """Answers for Kubernetes as the mocks do, and for Google Cloud by the plugin."""

        def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, Json]:
            if args.typ == _PROVIDER:
                engines.append(api.engine(**args.inputs))
                engines[-1].provider._context(0)  # its client, before threads share it
            answered = super().new_resource(args)
            if not args.typ.startswith("gcp:"):
                return answered
            made = engines[-1].create(args.typ, args.name, **args.inputs)
            return made.id, reveal(made.outputs)

        def call(self, args: mocks.MockCallArgs) -> tuple[Json, list[tuple[str, str]]]:
            if not args.token.startswith("gcp:"):
                return super().call(args)
            if args.token == _GET_GROUP:
                _make_group(api, self.project, args.args["zone"], args.args["name"])
            provider = engines[-1].provider
            return provider.invoke(token=args.token, args=dict(args.args), preview=False), []

    with mock.patch.object(program, "CloudMocks", PluginMocks), _recorded(sent):
        run_environment(environment)
    return sent


def _make_group(api: Api, project: str, zone: str, name: str) -> None:
    """Make an endpoint group, as GKE's controller does for a Service."""
    folder = f"/compute/v1/projects/{project}/zones/{zone}/networkEndpointGroups"
    body = {
        "name": name,
        "networkEndpointType": "GCE_VM_IP_PORT",
        "network": f"projects/{project}/global/networks/{project}-network",
        "subnetwork": f"projects/{project}/regions/{zone[:-2]}/subnetworks/{project}-nodes",
    }
    api.by_hand("POST", folder, body)


@contextmanager
def _recorded(sent: list[Sent]) -> Iterator[None]:
    real = Client.request

    def request(self: Client, service: str, method: str, path: str, *rest: Any, **more: Any) -> Any:
        body, params = [*rest, None, None][:2]
        body, params = more.get("body", body), more.get("params", params)
        url = path if path.startswith("http") else f"{self.config.endpoint(service)}{path}"
        answer = real(self, service, method, path, *rest, **more)
        place, query = urlsplit(url).path, json.dumps(params or {})
        text = "" if body is None else json.dumps(body)
        sent.append(Sent("own", len(sent) + 1, method, place, query, text, 200))
        return answer

    with mock.patch.object(Client, "request", request):
        yield
