"""The HTTP load balancer that a stack file plans, and the tests of routes in its entries.

Needs neither the engine nor an account. What it cannot know before a deployment, names of endpoint
groups, is not part of a route.
"""

from collections.abc import Iterator

from gkeplatform.contracts import ServedModel
from gkeplatform.environment import Environment
from gkeplatform.naming import Naming
from infra.networking.config import NetworkingConfig
from infra.networking.url_map.lookup import Found, LoadBalancer, load_balancer
from infra.serving.config import ServingConfig
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.exposures.route_tests import ExpectedRoute, RouteTestArgs

_UNKNOWN = GroupNames(
    naming=Naming(Environment(name="any", project="any", region="any", system="any")), cluster=""
)
"""Names for the endpoint groups, which routes do not look at."""


def planned(serving: ServingConfig, networking: NetworkingConfig) -> LoadBalancer:
    """The load balancer of these keys."""
    return load_balancer(
        networking,
        [
            ServedModel(
                name=entry.name,
                namespace=entry.namespace,
                path=entry.path,
                exposure=entry.exposure.kind,
                route=entry.exposure.route(entry, zones=(), names=_UNKNOWN),
            )
            for entry in serving.entries
        ],
    )


def tested(serving: ServingConfig, front: LoadBalancer) -> Iterator[tuple[str, RouteTestArgs, str]]:
    """Every test of the entries: its key, the test, and what is wrong; nothing where it passes."""
    names = {model.name for model in serving.models}
    for index, entry in enumerate(serving.entries):
        for number, test in enumerate(entry.exposure.tests):
            key = f"gke-serving:models[{index}].exposure.tests[{number}]"
            wanted = test.expect.model
            if wanted is not None and wanted not in front.routes:
                kind = "is not behind the HTTP load balancer" if wanted in names else "is no model"
                yield key, test, f'expect.model "{wanted}" {kind}; name a model that is'
                continue
            host = test.host(entry.exposure.hosts)
            scheme = test.scheme or front.scheme
            url = f"{scheme}://{host}{test.path}" if host else test.path
            found = front.find(url)
            yield key, test, _difference(test.expect, found)


def failures(serving: ServingConfig | None, networking: NetworkingConfig | None) -> Iterator[str]:
    """The tests that fail: key, what happens, what was expected."""
    if serving is None or not any(entry.exposure.tests for entry in serving.entries):
        return
    for key, test, problem in tested(serving, planned(serving, networking or NetworkingConfig())):
        if problem:
            yield f"{key}: {test.url}: {problem}"


def _difference(expected: ExpectedRoute, found: Found) -> str:
    wanted = _wanted(expected)
    actual = reached(found)
    if found.problem or found.redirect:
        same = found.redirect is not None and expected.redirect == found.redirect
    elif expected.static_files:
        same = found.model is None
    else:
        same = expected.model == found.model and (
            expected.path is None or expected.path == found.path
        )
    return "" if same else f"it {actual}, and the test expects {wanted}; correct one of them"


def reached(found: Found) -> str:
    """What becomes of a request, as the rest of a sentence about it."""
    if found.problem:
        return f"gets no answer ({found.problem})"
    if found.redirect:
        return f"is redirected to {found.redirect}"
    if found.model is None:
        return f"gets {found.code}" if found.code else "reaches no model, but the static files"
    return f'reaches "{found.model}" as {found.path}'


def _wanted(expected: ExpectedRoute) -> str:
    if expected.redirect:
        return f"a redirect to {expected.redirect}"
    if expected.static_files:
        return "the static files"
    return f'"{expected.model}"' + (f" as {expected.path}" if expected.path else "")
