"""Which models can have callers, and what is refused."""

from collections.abc import Sequence

from infra.serving.callers import gateway
from infra.serving.callers.pods import LIMITS
from infra.serving.callers.settings import CallersArgs, check_models
from infra.serving.exposures.inference import picker
from infra.serving.models import Workload, arguments
from infra.serving.scaling.validation import starts_by_metrics

SERVER = "vllm"
"""The preset whose answers tell the tokens that were used."""


def check(callers: CallersArgs | None, entries: Sequence[Workload]) -> None:
    """`ValueError` for callers of models that cannot have a gateway.

    `entries` are those of the catalog, in its order.
    """
    if callers is None:
        return
    check_models(callers, [one.name for one in entries])
    for index, entry in enumerate(entries):
        if entry.callers:
            try:
                _check_entry(entry)
            except ValueError as error:
                raise ValueError(f"models[{index}].{error}") from None
    _refuse_names(entries)


def check_zero(entries: Sequence[Workload]) -> None:
    """`ValueError` for a model behind the Inference Gateway that nothing would start.

    Requests at its endpoint picker do with callers: their gateway asks the picker in any case.
    """
    for index, entry in enumerate(entries):
        for at, version in (("", entry), ("canary.", entry.canary)):
            if (
                version is not None
                and version.replicas.min == 0
                and version.exposure.needs_inference_gateway
                and not version.callers
                and not starts_by_metrics(version.autoscaling)
            ):
                raise ValueError(
                    f"models[{index}].{at}replicas.min 0: a load balancer need not ask the "
                    f'endpoint picker of a pool without pods, so that "{version.name}" might never '
                    "start; name its callers in gke-serving:callers, whose gateway asks, add a "
                    "pubsub-backlog or external metric to autoscaling.metrics, or set "
                    "replicas.min 1"
                )


def _check_entry(entry: Workload) -> None:
    if entry.server != SERVER:
        raise ValueError(
            f'server: {entry.server}, and callers are for language models: "{entry.name}" has no '
            f"usage of tokens in its answers; set server: {SERVER}, or remove the model from "
            "gke-serving:callers"
        )
    for key, one in (("exposure", entry.exposure), ("former_exposure", entry.former_exposure)):
        if one is None:
            continue
        if one.is_open:
            raise ValueError(
                f"{key}: a port of the nodes or an address of its own leads to the pods of "
                f'"{entry.name}", past the gateway that asks for keys; set kind: '
                "http-load-balancer with backend: network-endpoint-groups, gateway or ingress"
            )
    for version in (entry, entry.canary):
        if version is not None:
            _check_arguments("" if version is entry else "canary.", version)
    if entry.canary is not None and entry.canary.mirror:
        raise ValueError(
            "canary.mirror: copies of requests would count as the caller's; remove mirror and set "
            "canary.weights, or remove the model from gke-serving:callers"
        )


def _check_arguments(at: str, version: Workload) -> None:
    given = arguments.options(version.arguments)
    refused = {
        f"no-{arguments.USAGE}": "tokens of streams would not be counted",
        "api-key": "the gateway asks for keys, and passes none on",
    }
    for name, why in refused.items():
        if name in given:
            raise ValueError(
                f"{at}arguments: --{name}, and the model has callers: {why}; remove it"
            )
    if "VLLM_API_KEY" in {*version.environment, *version.references}:
        raise ValueError(
            f"{at}environment.VLLM_API_KEY: {refused['api-key']}; remove it, and keep the key as "
            "one of a caller"
        )


def _refuse_names(entries: Sequence[Workload]) -> None:
    """Refuses a model with the name of the objects of a gateway, in the same namespace."""
    taken = {
        (one.namespace, name): one.name
        for entry in entries
        for one in (entry, entry.canary)
        if one is not None and one.callers
        for name in (
            gateway.name(one),
            gateway.server_service_name(one),
            picker.ready_service_name(one),
            LIMITS,
        )
    }
    for index, entry in enumerate(entries):
        owner = taken.get((entry.namespace, entry.name))
        if owner is not None:
            raise ValueError(
                f'models[{index}].name: "{entry.name}" is the name of an object of the gateway of '
                f'"{owner}"; rename the model'
            )
