"""Runs a program, or a part of one, to its end against mocks, and holds what it declared.

For judging what a stack file leads to, with no engine, account or sandbox: what the cloud would
fill in is made up here. Nothing runs inside `apply`; whoever asked looks at the result.
"""

import asyncio
import runpy
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pulumi.runtime
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, settings
from pulumi.runtime.stack import Stack, run_in_stack

with warnings.catch_warnings():
    # The SDK warns of deprecated classes of its own whenever their modules are loaded, which
    # happens at the first look at one of their attributes.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pulumi_gcp import (
        billing,
        certificatemanager,
        compute,
        container,
        dns,
        gkebackup,
        iap,
        kms,
        monitoring,
        organizations,
        projects,
        pubsub,
        serviceaccount,
        storage,
    )

    _LOADED = (
        billing.Budget,
        certificatemanager.Certificate,
        compute.Network,
        dns.ManagedZone,
        container.Cluster,
        gkebackup.BackupPlan,
        iap.WebBackendServiceIamMember,
        kms.CryptoKey,
        monitoring.UptimeCheckConfig,
        organizations.Project,
        projects.Service,
        pubsub.Topic,
        serviceaccount.Account,
        storage.Bucket,
    )

from gkeplatform import promotion, stack_values
from gkeplatform.layers import LAYERS, Layer, in_order
from gkeplatform.stack import READ_OUTPUTS
from policies.subjects import Resource

ROOT = Path(__file__).parent.parent
STACKS = ROOT / "stacks"
ENVIRONMENTS = tuple(promotion.order(ROOT))
LOAD_BALANCER_ADDRESS = "203.0.113.7"
GLOBAL_ADDRESS = "198.51.100.4"
PROJECT_NUMBER = "123456789012"
_GET_PROJECT = "gcp:organizations/getProject:getProject"
_GET_CERTIFICATES = "gcp:certificatemanager/getCertificates:getCertificates"
_GET_GROUP = "gcp:compute/getNetworkEndpointGroup:getNetworkEndpointGroup"


@dataclass
class Declared:
    """What a program declared: resources by (type, logical name), and its outputs."""

    inputs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)
    protected: set[tuple[str, str]] = field(default_factory=set)
    """What the engine would refuse to replace or delete."""
    deleted_first: dict[tuple[str, str], bool] = field(default_factory=dict)
    """`delete_before_replace` where a resource states it."""

    def resources(self, environment: str, project: str) -> list[Resource]:
        """The resources as policies see them, with the urns that the engine would give."""
        return [
            Resource(
                kind,
                inputs,
                name,
                f"urn:pulumi:{environment}::{project}::{kind}::{name}",
                protect=(kind, name) in self.protected,
            )
            for (kind, name), inputs in self.inputs.items()
        ]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The inputs of the resources of one type, by logical name."""
        return {name: inputs for (typ, name), inputs in self.inputs.items() if typ == kind}


def whole_numbers(value: Any) -> Any:
    """The value with whole numbers as integers: the wire between program and engine has floats."""
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class EngineError(grpc.RpcError):
    """A failure as the engine's own connection reports it."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def code(self) -> grpc.StatusCode:
        """As gRPC's errors have it."""
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        """As gRPC's errors have it."""
        return self._details


@dataclass
class CloudMocks(mocks.Mocks):
    """Answers as the cloud would: with the fields that it computes."""

    declared: Declared
    upstream: Mapping[str, dict[str, Any]]
    project: str = "acme-ml-dev"

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answer an invoke."""
        if args.token == READ_OUTPUTS:
            name = args.args["name"]
            if name not in self.upstream:
                raise EngineError(f'unknown stack "{name}"')
            return {"name": name, "outputs": self.upstream[name], "secretOutputNames": []}, []
        if args.token == _GET_GROUP:
            zone, name = args.args["zone"], args.args["name"]
            return {
                "name": name,
                "zone": zone,
                "selfLink": self.link(f"zones/{zone}/networkEndpointGroups/{name}"),
            }, []
        if args.token == _GET_PROJECT:
            return {"projectId": args.args["projectId"], "number": PROJECT_NUMBER}, []
        if args.token == _GET_CERTIFICATES:
            return {"certificates": [], "id": "certificates"}, []
        raise RuntimeError(f"nobody knows what {args.token} would answer")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Take a resource down, and answer with what the cloud would fill in."""
        if (args.typ, args.name) in self.declared.inputs:
            raise RuntimeError(f"{args.typ} {args.name} is declared twice")
        self.declared.inputs[args.typ, args.name] = whole_numbers(args.inputs)
        return self.identity(args), {**args.inputs, **self.computed(args)}

    def identity(self, args: mocks.MockResourceArgs) -> str:
        """The id, as Google Cloud spells it where others are known by it."""
        inputs = args.inputs
        match args.typ:
            case "gcp:kms/keyRing:KeyRing":
                place = f"projects/{self.project}/locations/{inputs['location']}"
                return f"{place}/keyRings/{inputs['name']}"
            case "gcp:kms/cryptoKey:CryptoKey":
                return f"{inputs['keyRing']}/cryptoKeys/{inputs['name']}"
            case "gcp:pubsub/topic:Topic":
                return f"projects/{self.project}/topics/{inputs['name']}"
            case _:
                return f"{args.name}-id"

    def link(self, path: str) -> str:
        """The self link of a compute resource."""
        return f"https://www.googleapis.com/compute/v1/projects/{self.project}/{path}"

    def computed(self, args: mocks.MockResourceArgs) -> dict[str, Any]:  # noqa: PLR0911
        """The fields that Google Cloud and GKE fill in."""
        inputs, kind = args.inputs, args.typ.rpartition(":")[2]
        if args.typ.startswith("gkeplatform:"):
            return {}
        match kind:
            case "Cluster":
                return {"endpoint": "192.0.2.10", "masterAuth": {"clusterCaCertificate": "Q0E="}}
            case "NodePool":
                return {"instanceGroupUrls": self.instance_groups(inputs["name"])}
            case "Account":
                email = f"{inputs['accountId']}@{self.project}.iam.gserviceaccount.com"
                return {
                    "email": email,
                    "member": f"serviceAccount:{email}",
                    "name": f"projects/{self.project}/serviceAccounts/{email}",
                }
            case "RandomId":
                return {"hex": "0a" * int(inputs["byteLength"])}
            case "DnsAuthorization":
                name = f"_acme-challenge.{inputs['domain']}."
                data = "0a1b2c3d.0.authorize.certificatemanager.goog."
                return {"dnsResourceRecords": [{"name": name, "type": "CNAME", "data": data}]}
            case "ManagedZone":
                servers = [f"ns-cloud-a{n}.googledomains.com." for n in range(1, 5)]
                return {"nameServers": servers}
            case "Service" if inputs.get("spec", {}).get("type") == "LoadBalancer":
                return {"status": {"loadBalancer": {"ingress": [{"ip": LOAD_BALANCER_ADDRESS}]}}}
            case "Ingress":
                return {"status": {"loadBalancer": {"ingress": [{"ip": LOAD_BALANCER_ADDRESS}]}}}
            case _ if args.typ.startswith("gcp:monitoring/"):
                return self.watched(args)
            case _ if args.typ.startswith("gcp:compute/"):
                link = self.link(f"global/{kind}/{inputs['name']}")
                return {"selfLink": link} | (
                    {"address": GLOBAL_ADDRESS} if kind == "GlobalAddress" else {}
                )
            case _:
                return {}

    def watched(self, args: mocks.MockResourceArgs) -> dict[str, Any]:
        """What Cloud Monitoring fills in: names, which hold the project and an id."""
        inputs, place = args.inputs, f"projects/{self.project}"
        if args.typ.endswith(":Slo"):
            service = f"{place}/services/{inputs['service']}"
            return {"name": f"{service}/serviceLevelObjectives/{inputs['sloId']}"}
        kind = args.typ.rpartition(":")[2]
        name = f"{place}/{kind[0].lower()}{kind[1:]}s/{args.name}"
        return {"name": name, "uptimeCheckId": args.name}

    def instance_groups(self, pool: str) -> list[str]:
        """The managers of a pool's groups, one a zone; in no order that GKE would promise."""
        (cluster,) = self.declared.of("gcp:container/cluster:Cluster").values()
        zones = reversed(cluster["nodeLocations"])
        name = f"gke-{cluster['name']}-{pool}-grp"
        return [self.link(f"zones/{z}/instanceGroupManagers/{name}") for z in zones]


class _Monitor(mocks.MockMonitor):
    """The mocks' monitor, which notes options that mocks are not told of."""

    def __init__(self, cloud: CloudMocks) -> None:
        super().__init__(cloud)
        self._declared = cloud.declared

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the engine's name for it)
        if request.protect:
            self._declared.protected.add((request.type, request.name))
        if request.deleteBeforeReplaceDefined:
            order = request.deleteBeforeReplace
            self._declared.deleted_first[request.type, request.name] = order
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # the SDK's


def declare(
    program: Callable[[], Any],
    *,
    project: str = "gke-test",
    stack: str = "dev",
    config: Mapping[str, str] | None = None,
    upstream: Mapping[str, dict[str, Any]] | None = None,
    preview: bool = False,
    into: Declared | None = None,
) -> Declared:
    """Runs `program` to its end. What it raises, is raised here; `into` keeps what came before."""
    declared = Declared() if into is None else into
    cloud = CloudMocks(declared, upstream or {})
    if config and "gcp:project" in config:
        cloud.project = config["gcp:project"]

    def main() -> None:
        program()

    loops: list[asyncio.AbstractEventLoop] = []

    def begin_thread() -> None:
        # The mocks would make a loop in each thread and never close it.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(max_workers=4, initializer=begin_thread)
        )
        # Inside the loop that runs the program: the mocks' own stack resource begins its work here.
        mocks.set_mocks(
            cloud,
            project=project,
            stack=stack,
            preview=preview,
            organization="organization",
            monitor=_Monitor(cloud),
        )
        # The mocks come with a finished stack resource; the run makes its own.
        settings.set_root_resource(None)  # type: ignore[arg-type]  # as it is before any run
        pulumi_config.set_all_config(dict(config or {}), [])
        await run_in_stack(main)
        root = settings.get_root_resource()
        for name, value in root.outputs.items() if isinstance(root, Stack) else ():
            output = pulumi.Output.from_input(value)
            declared.outputs[name] = await output.future()
            if await output.is_secret():
                declared.secret_outputs.add(name)

    try:
        asyncio.run(run())
    finally:
        for loop in loops:
            loop.close()
    return declared


def stack_config(environment: str) -> dict[str, str]:
    """A stack file's keys as the engine hands them to a program: strings, JSON where structured."""
    return stack_values.read(environment, root=ROOT)


def run_layer(
    layer: Layer,
    environment: str,
    upstream: Mapping[str, dict[str, Any]],
    config: Mapping[str, str] | None = None,
    into: Declared | None = None,
) -> Declared:
    """Runs the layer's real program on the environment's real stack file (or on `config`)."""
    return declare(
        lambda: runpy.run_path(str(ROOT / layer.main / "__main__.py"), run_name="__main__"),
        project=layer.project,
        stack=environment,
        config=stack_values.of_project(config or stack_config(environment), layer.project),
        upstream=upstream,
        into=into,
    )


def run_environment(
    environment: str, edits: Mapping[str, str] | None = None
) -> dict[str, Declared]:
    """All layers in order, each reading what the ones before it declared as their outputs.

    `edits` are keys of the stack file with other values.
    """
    config = stack_config(environment) | dict(edits or {})
    upstream: dict[str, dict[str, Any]] = {}
    result: dict[str, Declared] = {}
    for layer in in_order(LAYERS):
        if not (ROOT / layer.main / "__main__.py").exists():
            continue
        result[layer.name] = run_layer(layer, environment, upstream, config)
        upstream[f"organization/{layer.project}/{environment}"] = result[layer.name].outputs
    return result
