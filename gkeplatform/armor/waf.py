"""Preconfigured WAF rules of the security policy, and what they do not inspect.

Prompts and code in request bodies match the signatures of SQL injection, XSS and others, and
Cloud Armor would answer 403. Models that take free text therefore have a security policy of their
own, whose WAF rules inspect everything but the body: path, query, headers and cookies. The server
treats the body as data. Sources: https://docs.cloud.google.com/armor/docs/rule-tuning and
https://docs.cloud.google.com/armor/quotas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, product
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gkeplatform.config import Settings

if TYPE_CHECKING:
    from gkeplatform.armor.rules import ArmorRules

VERSION = "v33-stable"
"""Version of the OWASP Core Rule Set."""
FIRST_PRIORITY = 3000
PRIORITIES_PER_SET = 10
MAX_EXPRESSIONS = 5
"""Subexpressions of a rule."""
MAX_PATTERN = 1024
"""Characters of a subexpression."""

Waf = Literal[
    "sqli", "xss", "lfi", "rfi", "rce", "methodenforcement", "scannerdetection", "protocolattack",
    "php", "sessionfixation", "java", "nodejs",
]  # fmt: skip
RuleId = Annotated[str, Meta(pattern=r"^owasp-crs-v\d{6}-id\d{6}-[a-z]+$")]
UrlPath = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
Field = Literal["header", "cookie", "query-param", "uri", "body"]
_ARGUMENTS = {
    "header": "request_headers",
    "cookie": "request_cookies",
    "query-param": "request_query_params",
    "uri": "request_uris",
    "body": "request_bodies",
}
_EVERY_FIELD = {"operator": "EQUALS_ANY"}


class ExcludedField(Settings):
    """A part of requests that is not inspected."""

    kind: Annotated[
        Field,
        Meta(description="`query-param` is also a field of a form in the body."),
    ]
    operator: Annotated[
        Literal["EQUALS", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "EQUALS_ANY"],
        Meta(description="How the name, or for `uri` the URI, is compared."),
    ] = "EQUALS"
    value: Annotated[
        str | None, Meta(description="What it is compared with; not for `EQUALS_ANY`.")
    ] = None

    def __post_init__(self) -> None:
        if (self.operator == "EQUALS_ANY") != (self.value is None):
            raise ValueError(
                f"operator {self.operator} "
                + ("needs a value" if self.value is None else "takes no value; remove it")
            )


class Exclusion(Settings):
    """A false positive: fields that some signatures do not inspect, on all or some paths."""

    rule_set: Annotated[Waf, Meta(description="One of `waf`.")]
    fields: Annotated[
        tuple[ExcludedField, ...], Meta(min_length=1, description="What is not inspected.")
    ]
    rule_ids: Annotated[
        tuple[RuleId, ...],
        Meta(description="Signatures, such as `owasp-crs-v030301-id942421-sqli`. Default: all."),
    ] = ()
    paths: Annotated[
        tuple[UrlPath, ...],
        Meta(description="URL paths, with everything below them. Default: all."),
    ] = ()

    def __post_init__(self) -> None:
        for one in self.rule_ids:
            if not one.endswith(f"-{self.rule_set}"):
                raise ValueError(f"rule_ids: {one} is no signature of {self.rule_set}")


def check(args: ArmorRules) -> None:
    """`ValueError` for exclusions that have no effect or that Cloud Armor would refuse."""
    for index, exclusion in enumerate(args.exclusions):
        key = f"exclusions[{index}]"
        if exclusion.rule_set not in args.waf:
            raise ValueError(
                f"{key}.rule_set: {exclusion.rule_set} is not in waf; add it there, or remove the "
                "exclusion"
            )
        if len(path_pattern(exclusion.paths)) > MAX_PATTERN:
            raise ValueError(
                f"{key}.paths: as a pattern they exceed {MAX_PATTERN} characters; list fewer, or "
                "a common prefix"
            )
    for rule_set in args.waf:
        groups = list(_by_paths(args, rule_set))
        if len(groups) >= MAX_EXPRESSIONS:
            raise ValueError(
                f"exclusions: {rule_set} has {len(groups)} different lists of paths, and a rule "
                f"takes {MAX_EXPRESSIONS - 1}; share lists of paths"
            )
        for owner, paths in combinations(groups, 2):
            for path, other in product(paths, owner):
                if f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/"):
                    raise ValueError(
                        f"exclusions: {path} and {other} overlap in different lists of paths "
                        f"of {rule_set} ({', '.join(owner)}); put them in one list"
                    )


def rules(args: ArmorRules, *, free_text: bool) -> Iterator[dict[str, Any]]:
    """The WAF rules: one per rule set, and one more per list of paths with exclusions."""
    for index, rule_set in enumerate(args.waf):
        groups = _by_paths(args, rule_set)
        everywhere = [one for one in args.exclusions if one.rule_set == rule_set and not one.paths]
        level = f"{{'sensitivity': {args.sensitivity}}}"
        waf = f"evaluatePreconfiguredWaf('{_name(rule_set)}', {level})"
        conditions = [f"request.path.matches('{path_pattern(paths)}')" for paths in groups]
        elsewhere = "".join(f" && !{condition}" for condition in conditions)
        cases = [
            *(
                (f" && {condition}", [*everywhere, *own])
                for condition, own in zip(conditions, groups.values(), strict=True)
            ),
            (elsewhere, everywhere),
        ]
        for offset, (condition, exclusions) in enumerate(cases):
            made = [_exclusion(one) for one in exclusions]
            if free_text:
                made.append({"target_rule_set": _name(rule_set), "request_bodies": [_EVERY_FIELD]})
            inspected = ", except bodies: the models take free text" if free_text else ""
            yield {
                "priority": FIRST_PRIORITY + index * PRIORITIES_PER_SET + offset,
                "action": "deny(403)",
                "description": f"WAF: {rule_set}{inspected}",
                "match": {"expr": {"expression": f"{waf}{condition}"}},
                **({"preconfigured_waf_config": {"exclusions": made}} if made else {}),
                "preview": args.dry_run,
            }


def path_pattern(paths: tuple[str, ...]) -> str:
    """The regular expression of paths and everything below them."""
    # A backslash would need another one in the expression language.
    return f"^({'|'.join(re.sub('[.]', '[.]', path) for path in paths)})(/.*)?$"


def _by_paths(args: ArmorRules, rule_set: str) -> dict[tuple[str, ...], list[Exclusion]]:
    groups: dict[tuple[str, ...], list[Exclusion]] = {}
    for exclusion in args.exclusions:
        if exclusion.rule_set == rule_set and exclusion.paths:
            groups.setdefault(tuple(sorted(set(exclusion.paths))), []).append(exclusion)
    return groups


def _exclusion(exclusion: Exclusion) -> dict[str, Any]:
    made: dict[str, Any] = {"target_rule_set": _name(exclusion.rule_set)}
    if exclusion.rule_ids:
        made["target_rule_ids"] = list(exclusion.rule_ids)
    for field in exclusion.fields:
        value = {} if field.value is None else {"value": field.value}
        made.setdefault(_ARGUMENTS[field.kind], []).append({"operator": field.operator, **value})
    return made


def _name(rule_set: str) -> str:
    return f"{rule_set}-{VERSION}"
