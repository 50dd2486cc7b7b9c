"""`Rule`: a function from a resource's properties to messages, with its metadata.

    @mandatory(
        gcp("container/nodePool:NodePool"),
        layer="cluster", severity="medium", why="...", fix="...", references=(cis("5.5.2"),),
        passing={...}, failing={...},
    )
    def node_pool_repairs_itself(pool: Props) -> Iterator[str]:
        \"\"\"A node pool replaces nodes that fail their health checks.\"\"\"
        if not flag(pool, "management", "autoRepair"):
            yield "auto-repair is off"

The id is the function's name in kebab-case; the title is its docstring. A rule that also takes a
`Stack` runs once all resources are known. A rule that takes a `Settings` subclass has parameters,
which an environment may set. `repair=` implements the level `remediate`. The two examples are the
rule's test. `policies.pack` runs the rules.
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

Index = TypeVar("Index")
Layer = Literal["cluster", "serving", "networking", "environment", "every"]
Severity = Literal["low", "medium", "high", "critical"]
Example = Props | Sequence[Resource]
"""The properties of one resource of the selector's example type; for a stack rule, resources."""


class Level(StrEnum):
    """Enforcement level: what a violation of a rule leads to."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    REMEDIATE = "remediate"
    """Repaired if the rule can; a violation that remains stops the deployment."""
    DISABLED = "disabled"

    @property
    def stops(self) -> bool:
        """Whether a violation stops the deployment."""
        return self in (Level.MANDATORY, Level.REMEDIATE)


Repair = Callable[..., Iterator[tuple[Path, Any]]]
"""From a resource (and the rule's parameters) to the values to set, each with its path."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The source of a rule: a control of a published standard, or a documentation page."""

    source: str
    control: str
    url: str


def cis(number: str) -> Reference:
    """A recommendation of the CIS GKE Benchmark, by its number in version 1.4."""
    return Reference("CIS GKE Benchmark", number, "https://www.cisecurity.org/benchmark/kubernetes")


def pod_security(
    control: str, profile: Literal["baseline", "restricted"] = "baseline"
) -> Reference:
    """A control of a Pod Security Standards profile."""
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
    """All declared resources of a stack, for rules that need more than one resource."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = resources
        self._types = {resource.type for resource in resources}
        self._cache: dict[Any, Any] = {}

    def of(self, selector: Selector) -> list[Resource]:
        """Return the resources that a selector matches."""
        if selector not in self._cache:
            matching = {type_ for type_ in self._types if selector.matches(type_)}
            self._cache[selector] = [r for r in self.resources if r.type in matching]
        return self._cache[selector]  # type: ignore[no-any-return]  # assigned above

    def cached(self, build: Callable[["Stack"], Index]) -> Index:
        """The result of `build(stack)`, computed once and shared by all rules."""
        if build not in self._cache:
            self._cache[build] = build(self)
        return self._cache[build]  # type: ignore[no-any-return]  # assigned above


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule and its metadata."""

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
    """The parameters that an environment may set. Default: the class's own defaults."""
    passing: Example
    failing: Example
    module: str
    repair: Repair | None = None

    def examples(self, which: Literal["passing", "failing"]) -> list[Resource]:
        """Return the resources of the passing or the failing example."""
        given = self.passing if which == "passing" else self.failing
        if isinstance(given, dict):
            return [Resource(self.selector.example, given)]
        return list(given)


Decorator = Callable[[Callable[..., Iterator[str]]], Rule]


def mandatory(selector: Selector, **metadata: Any) -> Decorator:
    """Turn a function into a mandatory rule. `metadata` are fields of `Rule`."""
    return _rule(Level.MANDATORY, selector, metadata)


def advisory(selector: Selector, **metadata: Any) -> Decorator:
    """Turn a function into an advisory rule. `metadata` are fields of `Rule`."""
    return _rule(Level.ADVISORY, selector, metadata)


def _rule(level: Level, selector: Selector, metadata: dict[str, Any]) -> Decorator:
    def decorate(function: Callable[..., Iterator[str]]) -> Rule:
        where = f"{function.__module__}.{function.__name__}"
        title = (inspect.getdoc(function) or "").partition("\n")[0]
        missing = [key for key in ("why", "fix", "references") if not metadata.get(key)]
        if not title:
            missing.append("a docstring")
        if missing:
            raise PlatformError(f"{where}: the rule lacks {', '.join(missing)}")
        if not inspect.isgeneratorfunction(function):
            raise PlatformError(f"{where}: a rule must yield its messages; the function never does")
        extra = [p.annotation for p in inspect.signature(function).parameters.values()][1:]
        parameters = [one for one in extra if isinstance(one, type) and issubclass(one, Settings)]
        if len(parameters) > 1 or [one for one in extra if one not in (Stack, *parameters)]:
            raise PlatformError(
                f"{where}: after the resource, a rule takes a Stack, a Settings subclass, or both"
            )
        try:
            return Rule(
                id=function.__name__.replace("_", "-"),
                title=title,
                level=level,
                selector=selector,
                judge=function,
                over_stack=Stack in extra,
                parameters=parameters[0] if parameters else None,
                module=function.__module__,
                **metadata,
            )
        except TypeError as error:
            raise PlatformError(f"{where}: {error}") from None

    return decorate
