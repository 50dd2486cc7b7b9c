"""The rules of each model at its front ends, as the stack file plans them."""

from __future__ import annotations

from cli import route_reports
from cli.routing import Plan
from cli.show.picture import Rule
from infra.networking.url_map import review


def by_model(plan: Plan) -> dict[str, list[Rule]]:
    """The rules of each model: one for a path, with all that follows it, on all of its hosts."""
    model_of = {
        version: entry.name
        for entry in plan.serving.entries
        for version in (entry.name, *((entry.canary.name,) if entry.canary else ()))
    }
    ends: dict[tuple[str, str, str], dict[str, dict[str, review.Row]]] = {}
    for front in plan.front_ends.values():
        for row in review.rows(front.url_map):
            path = row.pattern.removesuffix("*").rstrip("/").partition(":")[0]
            model = model_of.get(row.shares[0][0])
            if model is not None:
                key = model, path, route_reports.header_text(row)
                at = ends.setdefault(key, {}).setdefault(row.host, {})
                at[row.pattern.removeprefix(path)] = row
    found: dict[str, list[Rule]] = {}
    for (model, path, headers), hosts in ends.items():
        alike: dict[tuple[tuple[str, ...], str | None, str | None], list[str]] = {}
        for host, rows in hosts.items():
            first = next(iter(rows.values()))
            hidden = next((row.shadowed_by for row in rows.values() if row.shadowed_by), None)
            alike.setdefault((tuple(sorted(rows)), first.rewrite, hidden), []).append(host)
        for (suffixes, rewrite, hidden), names in alike.items():
            rule = Rule(
                hosts=tuple(names),
                path=(path or "/") + headers,
                ends=tuple(one for one in suffixes if one),
                rewrite=rewrite,
                shadowed_by=hidden,
            )
            found.setdefault(model, []).append(rule)
    return found
