"""The compute resources of a Gateway, against the emulated API."""

from __future__ import annotations

import asyncio

import httpx

from sandbox.kubernetes.controllers import gateway_compute
from sandbox.kubernetes.controllers.compute import Compute
from sandbox.kubernetes.controllers.gateway_resources import GatewayResources
from tests.sandbox.gcp.emulator import PROJECT, emulator

REGION = "europe-west4"
SCOPE = f"regions/{REGION}"
NETWORK = f"projects/{PROJECT}/global/networks/a"
OWNER = ("main", "models", "inference")


def test_another_certificate_replaces_no_proxy() -> None:
    """A proxy that a forwarding rule uses cannot be deleted."""

    async def run() -> None:
        async with emulator() as client:
            compute = Compute(lambda: "http://sandbox", PROJECT)
            await compute.close()
            transport = httpx.ASGITransport(client.app)
            compute._http = httpx.AsyncClient(transport=transport, headers=client.http.headers)
            resources = GatewayResources(compute, region=REGION)
            place = f"v1/projects/{PROJECT}/locations/{REGION}/certificates"
            subnet = {
                "name": "proxies",
                "network": NETWORK,
                "purpose": "REGIONAL_MANAGED_PROXY",
                "role": "ACTIVE",
                "ipCidrRange": "10.250.0.0/23",
            }
            await compute.ensure("global/networks", {"name": "a", "autoCreateSubnetworks": False})
            await compute.ensure(f"{SCOPE}/subnetworks", subnet)
            links = []
            for name in ("a", "b"):
                body = {"managed": {"domains": [f"{name}.acme.example"]}}
                path = f"/certificatemanager/{place}?certificateId={name}"
                await client.call("POST", path, body)
                given = gateway_compute.Certificates(managed=(name,))
                service = {"name": "nowhere", "loadBalancingScheme": "EXTERNAL_MANAGED"}
                backend = await resources.ensure(OWNER, SCOPE, "backendServices", service)
                routes = {"name": "main", "defaultService": backend["selfLink"]}
                url_map = await resources.ensure(OWNER, SCOPE, "urlMaps", routes)
                wanted = gateway_compute.proxy(
                    "main",
                    url_map_link=url_map["selfLink"],
                    project=PROJECT,
                    scope=SCOPE,
                    given=given,
                )
                proxy = await resources.ensure(OWNER, SCOPE, "targetHttpsProxies", wanted)
                links.append((proxy["id"], *proxy["sslCertificates"]))
                rule = gateway_compute.forwarding_rule(
                    "main",
                    target=proxy["selfLink"],
                    address=None,
                    port=443,
                    scheme="EXTERNAL_MANAGED",
                    network={"network": NETWORK},
                )
                await resources.ensure(OWNER, SCOPE, "forwardingRules", rule)
            (first, before), (second, after) = links
            assert first == second
            assert before.endswith("/a")
            assert after.endswith("/b")
            await compute.close()

    asyncio.run(run())
