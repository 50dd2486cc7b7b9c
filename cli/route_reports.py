"""What `platformctl routes` prints: the way of URLs, or all rules with what is odd about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import typer

from cli import console
from cli.errors import CliError, Exit
from cli.routing import HTTP_LOAD_BALANCER, Plan
from infra.networking.url_map import review
from infra.networking.url_map.lookup import Found
from infra.networking.url_map.review import ANY, Row
from infra.planned_routes import reached, tested


def look_up(
    plan: Plan,
    urls: list[str],
    headers: dict[str, str],
    method: str,
    front_end: str | None,
    *,
    as_json: bool,
) -> None:
    """Print what becomes of requests for the URLs."""
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


def list_all(plan: Plan, *, as_json: bool) -> None:
    """Print all rules, what is odd about them, and the tests of the entries."""
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


def header_text(row: Row) -> str:
    """The headers that a rule asks for, as the rest of its path's line."""
    return "".join(f" with {name}: {value}" for name, value in row.headers.items())


def _table(plan: Plan, kind: str, rows: list[Row]) -> list[str]:
    """The rules of a front end, one line for all patterns of a path."""
    merged: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        path = row.pattern.removesuffix("*").rstrip("/").partition(":")[0]
        key = row.host, path, header_text(row)
        merged.setdefault(key, {})[row.pattern.removeprefix(path)] = row
    # A line's patterns begin with its path, so the longer path comes first.
    ordered = sorted(merged.items(), key=lambda one: (one[0][0] == ANY, one[0][0], -len(one[0][1])))
    found = [("HOST", "PATH", "BACKEND", "REWRITTEN")]
    for (host, path, headers), patterns in ordered:
        row = patterns.get("") or next(iter(patterns.values()))
        ends = " ".join(sorted(patterns))
        where = f"{path} {ends.strip()}".strip() + headers
        found.append((host, where, _shares(plan, kind, row), row.rewrite or ""))
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
