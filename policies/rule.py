"""A rule: one function from a resource's properties to messages, and all that is said about it.

    @mandatory(
        gcp("container/nodePool:NodePool"),
        layer="cluster", severity="medium", why="...", fix="...", references=(cis("5.5.2"),),
        passing={...}, failing={...},
    )
    def node_pool_repairs_itself(pool: Props) -> Iterator[str]:
        \"\"\"A node pool replaces nodes that fail their health checks.\"\"\"
        if not flag(pool, "management", "autoRepair"):
            yield "auto-repair is off"

The id is the function's name in kebab-case, the title its docstring. A function that takes a
`Stack` beside the resource is judged when all resources are known, over the whole of it; one that
takes a `Settings` class of its own has parameters, which an environment may set. `repair=` is what
the level `remediate` does. The two examples are the rule's test. This module judges nothing;
`policies.pack` does.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeVar

from gkeplatform.config import Settings
from gkeplatform.errors import PlatformError
from policies.subjects import Path, Resource, Selector
from policies.values import Props

Made = TypeVar("Made")
Layer = Literal["cluster", "serving", "networking", "environment", "every"]
Severity = Literal["low", "medium", "high", "critical"]
Example = Props | Sequence[Resource]
"""The properties of one resource of the selector's example type; for a stack rule, resources."""


class Level(StrEnum):
    """What a violation means: it is told, stops the deployment, is repaired, or nobody looks."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    REMEDIATE = "remediate"
    """Repaired where the rule can; what is left of it stops the deployment."""
    DISABLED = "disabled"

    @property
    def stops(self) -> bool:
        """Whether a violation stops the deployment."""
        return self in (Level.MANDATORY, Level.REMEDIATE)


Repair = Callable[..., Iterator[tuple[Path, Any]]]
"""From a resource (and the rule's parameters) to the values that mend it, each with its place."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a rule comes from: a control of a published standard, or documentation."""

    source: str
    control: str
    url: str


def cis(number: str) -> Reference:
    """A recommendation of the CIS GKE Benchmark, by its number in version 1.4."""
    return Reference("CIS GKE Benchmark", number, "https://www.cisecurity.org/benchmark/kubernetes")


def pod_security(
    control: str, profile: Literal["baseline", "restricted"] = "baseline"
) -> Reference:
    """A control of one of the profiles of the Pod Security Standards."""
    return Reference(
        f"Pod Security Standards ({profile})",
        control,
        f"https://kubernetes.io/docs/concepts/security/pod-security-standards/#{profile}",
    )


def google(title: str, path: str) -> Reference:
    """A page of Google Cloud's documentation."""
    return Reference("Google Cloud", title, f"https://cloud.google.com/{path}")


def kubernetes_docs(title: str, path: str) -> Reference:
    """A page of Kubernetes' documentation."""
    return Reference("Kubernetes", title, f"https://kubernetes.io/docs/{path}")


class Stack:
    """All declared resources of a stack, for rules that one resource cannot answer."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = resources
        self._types = {resource.type for resource in resources}
        self._made: dict[Any, Any] = {}

    def of(self, selector: Selector) -> list[Resource]:
        """The resources that a selector matches."""
        if selector not in self._made:
            fitting = {type_ for type_ in self._types if selector.matches(type_)}
            self._made[selector] = [r for r in self.resources if r.type in fitting]
        return self._made[selector]  # type: ignore[no-any-return]  # put there just above

    def once(self, make: Callable[["Stack"], Made]) -> Made:
        """What `make` makes of this stack, made once: an index for many rules and resources."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]  # type: ignore[no-any-return]  # put there just above


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule with what is said about it."""

    id: str
    title: str
    level: Level
    severity: Severity
    layer: Layer
    why: str
    fix: str
    references: tuple[Reference, ...]
    selector: Selector
    judge: Callable[..., Iterator[str]]
    over_stack: bool
    parameters: type[Settings] | None
    """What an environment may set of the rule; its defaults hold elsewhere."""
    passing: Example
    failing: Example
    module: str
    repair: Repair | None = None

    def examples(self, which: Literal["passing", "failing"]) -> list[Resource]:
        """The resources of one of the rule's two examples."""
        given = self.passing if which == "passing" else self.failing
        if isinstance(given, dict):
            return [Resource(self.selector.example, given)]
        return list(given)


Decorator = Callable[[Callable[..., Iterator[str]]], Rule]


def mandatory(selector: Selector, **said: Any) -> Decorator:
    """Make a function a rule whose violation stops the deployment; `said` as in `Rule`."""
    return _rule(Level.MANDATORY, selector, said)


def advisory(selector: Selector, **said: Any) -> Decorator:
    """Make a function a rule whose violation is told and stops nothing; `said` as in `Rule`."""
    return _rule(Level.ADVISORY, selector, said)


def _rule(level: Level, selector: Selector, said: dict[str, Any]) -> Decorator:
    def decorate(function: Callable[..., Iterator[str]]) -> Rule:
        where = f"{function.__module__}.{function.__name__}"
        title = (inspect.getdoc(function) or "").partition("\n")[0]
        missing = [key for key in ("why", "fix", "references") if not said.get(key)]
        if not title:
            missing.append("a docstring")
        if missing:
            raise PlatformError(f"{where}: the rule lacks {', '.join(missing)}")
        if not inspect.isgeneratorfunction(function):
            raise PlatformError(f"{where}: a rule yields its messages; this function never does")
        asked = [p.annotation for p in inspect.signature(function).parameters.values()][1:]
        parameters = [one for one in asked if isinstance(one, type) and issubclass(one, Settings)]
        if len(parameters) > 1 or [one for one in asked if one not in (Stack, *parameters)]:
            raise PlatformError(
                f"{where}: beside the resource, a rule takes a Stack, Settings of its own, or both"
            )
        try:
            return Rule(
                id=function.__name__.replace("_", "-"),
                title=title,
                level=level,
                selector=selector,
                judge=function,
                over_stack=Stack in asked,
                parameters=parameters[0] if parameters else None,
                module=function.__module__,
                **said,
            )
        except TypeError as error:
            raise PlatformError(f"{where}: {error}") from None

    return decorate
