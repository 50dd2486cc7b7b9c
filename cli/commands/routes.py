"""`platformctl routes`: which rule, backend and path a URL gets, without sandbox or account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli import arguments, console, routing
from cli.errors import CliError, Exit
from cli.routing import HTTP_LOAD_BALANCER, Plan
from infra.networking.url_map import review
from infra.networking.url_map.lookup import Found
from infra.networking.url_map.review import ANY, Row
from infra.planned_routes import reached, tested

Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", help="A header of the request, `Name: value`; repeatable."),
]


def routes(
    environment: arguments.Environment,
    urls: Annotated[
        list[str] | None,
        typer.Argument(help="URLs, or paths on the environment's domain. Default: all rules."),
    ] = None,
    header: Headers = None,
    method: Annotated[
        str, typer.Option("--method", "-X", help="Shown only: no rule looks at the method.")
    ] = "GET",
    front_end: Annotated[
        str | None,
        typer.Option(
            "--front-end",
            help="http-load-balancer, gateway or ingress. Default: the one whose routes name the "
            "host, else the HTTP load balancer.",
        ),
    ] = None,
    json: arguments.Json = False,
) -> None:
    """Show which rule, backend and path a URL gets, as the stack file plans it. Sends nothing.

    Without URLs: all rules in the order in which they match, rules that nothing reaches, and the
    tests of the models' entries.

    Exit codes: 0; 1 when a URL has no answer, a test fails or nothing reaches a rule or a version.
    """
    plan = routing.plan(environment)
    if front_end is not None and front_end not in plan.front_ends:
        raise CliError(
            f"{environment} has no front end `{front_end}`",
            f"front ends: {', '.join(plan.front_ends)}",
            Exit.USAGE,
        )
    if urls:
        _look_up(plan, urls, parsed(header), method, front_end, as_json=json)
    else:
        _list(plan, as_json=json)


def parsed(given: list[str] | None) -> dict[str, str]:
    """Headers of the command line. Raises CliError for one without a colon."""
    found = {}
    for one in given or ():
        name, colon, value = one.partition(":")
        if not colon or not name.strip() or "\n" in one or "\r" in one:
            raise CliError(f"`{one}` is no header", "write it as `Name: value`", Exit.USAGE)
        found[name.strip()] = value.strip()
    return found


def _look_up(
    plan: Plan,
    urls: list[str],
    headers: dict[str, str],
    method: str,
    front_end: str | None,
    *,
    as_json: bool,
) -> None:
    found = []
    for url in urls:
        if not url.startswith(("http://", "https://", "/")):
            raise CliError(
                f"`{url}` is neither a URL nor a path", "begin with https:// or /", Exit.USAGE
            )
        host = url.partition("://")[2].partition("/")[0].partition(":")[0]
        kind = front_end or plan.front_end(host)
        found.append((kind, plan.find(url, headers, kind)))
    if as_json:
        content = [{"method": method, **described(plan, kind, one)} for kind, one in found]
        console.document({"environment": plan.environment, "urls": content})
    else:
        for kind, one in found:
            print("\n".join([f"{method} {one.url}", *lines(plan, kind, one), ""]))
    if any(one.problem for _, one in found):
        raise typer.Exit(Exit.ERROR)


def described(plan: Plan, kind: str, found: Found) -> dict[str, Any]:
    """One result as JSON: `asdict`, with the backends' names and the front end."""
    content = {key: value for key, value in asdict(found).items() if value not in (None, "", ())}
    content.pop("shares", None)
    return {
        "front_end": kind,
        **content,
        "backends": [
            {"name": plan.backend(version, kind), "version": version, "weight": weight}
            for version, weight in found.shares
        ],
    }


def lines(plan: Plan, kind: str, found: Found) -> Iterator[str]:
    """One result as text."""
    if found.model is None:
        yield f"  {kind}: the request {reached(found)}"
        return
    yield f"  rule       {found.rule} of {found.matcher} ({kind})"
    for version, weight in found.shares:
        yield f"  backend    {plan.backend(version, kind)}, {weight} % of the requests"
    if found.mirrored:
        version, percent = found.mirrored
        yield f"  mirrored   {percent} % to {plan.backend(version, kind)}"
    yield f"  path       {found.path}"
    if found.timeout_seconds:
        retries = f", {found.retries} retries" if found.retries else ""
        yield f"  timeout    {found.timeout_seconds} s{retries}"
    if found.members:
        yield f"  identity   Identity-Aware Proxy admits {', '.join(found.members)}"


def _list(plan: Plan, *, as_json: bool) -> None:
    rules = {kind: list(review.rows(one.url_map)) for kind, one in plan.front_ends.items()}
    problems = [
        f"{kind}: {problem}" for kind, rows in rules.items() for problem in review.shadowed(rows)
    ]
    problems += review.unreached(plan.load_balancer)
    overlaps = list(review.overlaps(plan.load_balancer))
    tests = list(tested(plan.serving, plan.load_balancer))
    failed = [problem for _, _, problem in tests if problem]
    if as_json:
        console.document(
            {
                "environment": plan.environment,
                "rules": [
                    {"front_end": kind, **asdict(row)}
                    for kind, rows in rules.items()
                    for row in rows
                ],
                "problems": problems,
                "overlaps": overlaps,
                "tests": [
                    {"key": key, "url": test.url, "passed": not problem, "problem": problem}
                    for key, test, problem in tests
                ],
            }
        )
    else:
        for kind, rows in rules.items():
            print(
                "\n".join(
                    [f"{kind} ({plan.front_ends[kind].scheme})", *_table(plan, kind, rows), ""]
                )
            )
        for overlap in overlaps:
            print(f"overlap    {overlap}")
        for problem in problems:
            print(f"problem    {problem}")
        for key, test, problem in tests:
            end = f": {problem}" if problem else ""
            print(f"{'FAILED' if problem else 'passed'}     {key}: {test.url}{end}")
        console.say(
            f"{sum(map(len, rules.values()))} rules, {len(problems)} problems, {len(overlaps)} "
            f"overlaps, {len(tests)} tests, {len(failed)} failed"
        )
    if problems or failed:
        raise typer.Exit(Exit.ERROR)


def _table(plan: Plan, kind: str, rows: list[Row]) -> list[str]:
    """The rules of a front end, one line for all patterns of a path."""
    merged: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        path = row.pattern.removesuffix("*").rstrip("/").partition(":")[0]
        merged.setdefault((row.host, path), {})[row.pattern.removeprefix(path)] = row
    # A line's patterns begin with its path, so the longer path comes first.
    ordered = sorted(merged.items(), key=lambda one: (one[0][0] == ANY, one[0][0], -len(one[0][1])))
    found = [("HOST", "PATH", "BACKEND", "REWRITTEN")]
    for (host, path), patterns in ordered:
        row = patterns.get("") or next(iter(patterns.values()))
        ends = " ".join(sorted(patterns))
        found.append(
            (host, f"{path} {ends.strip()}".rstrip(), _shares(plan, kind, row), row.rewrite or "")
        )
    if kind == HTTP_LOAD_BALANCER:
        found.append((ANY, "everything else", "static files", ""))
    widths = [max(len(line[column]) for line in found) + 2 for column in range(3)]
    return [
        f"  {host:<{widths[0]}}{path:<{widths[1]}}{backend:<{widths[2]}}{rewrite}".rstrip()
        for host, path, backend, rewrite in found
    ]


def _shares(plan: Plan, kind: str, row: Row) -> str:
    shares = [
        plan.backend(version, kind) + ("" if weight == 100 else f" {weight} %")
        for version, weight in row.shares
        if weight
    ]
    mirror = [f"copies to {plan.backend(row.mirrored, kind)}"] if row.mirrored else []
    return ", ".join([*shares, *mirror])
