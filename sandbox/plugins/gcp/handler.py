"""Diff, create, read, update and delete of a resource of any type.

A `Handler` works from its `Spec` and the generated fields. A type with its own behaviour overrides
`*_remote`, `prepare`, `before_*`, `after_*`, `to_api`, `from_api` or `replaces`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sandbox.plugins.gcp import translate
from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.difference import Difference, differences, refreshed, same
from sandbox.plugins.gcp.failures import ApiFailure
from sandbox.plugins.gcp.labels import Labels
from sandbox.plugins.gcp.schema import ZERO, Field, Schema, schema_of
from sandbox.plugins.gcp.spec import Call, Spec, Values
from sandbox.plugins.provider import PartialFailure, PluginError
from sandbox.plugins.values import UNKNOWN, Secret

PLACES = ("project", "region", "zone", "location")
LABEL_OUTPUTS = ("pulumiLabels", "effectiveLabels")


class Handler:
    """The resources of one type."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    # The type

    @cached_property
    def schema(self) -> Schema:
        """The generated fields, annotated from the spec."""
        schema = schema_of(self.spec.type)
        _annotate(schema.fields, self.spec, "")
        return schema

    @property
    def fields(self) -> dict[str, Field]:
        """All properties by name."""
        return self.schema.fields

    def replaces(self, path: str, old: Any, new: Any) -> bool:  # noqa: ARG002  # overrides use the values
        """Whether the change of a field (dotted, without indexes) replaces the resource."""
        if path in (*PLACES, self.spec.name):
            return True
        own = any(path.partition(".")[0] in call.fields for call in self.spec.calls)
        if own or path.partition(".")[0] in (*self.spec.local, "deletionPolicy", *LABEL_OUTPUTS):
            return path.partition(".")[0] in self.spec.immutable
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            prefix = ".".join(parts[:length])
            if prefix in self.spec.mutable:
                return False
            if prefix in self.spec.immutable:
                return True
        return "*" in self.spec.immutable

    def to_api(self, inputs: Values) -> Values:
        """The API's object from plain inputs."""
        return translate.to_api(self.fields, inputs)

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The properties from the API's object."""
        return translate.from_api(self.fields, body)

    # Calls of the engine

    def diff(self, context: Context, old: Values, state: Values, new: Values) -> list[Difference]:
        """The changes, including those of the provider's settings."""
        found = list(differences(self.fields, old, state, new))
        for place in PLACES:
            if place in self.fields and new.get(place) is None and state.get(place):
                now, before = context.config.setting(place), translate.reveal(state[place])
                explicit = place == "project" and old.get(place) is None
                if explicit and now and isinstance(before, str) and now != before:
                    found.append(Difference(place, place, "update", before, now))
        if self.spec.labels and not any(one.plain.startswith(self.spec.labels) for one in found):
            wanted = Labels.wanted(context.config, new.get(self.spec.labels), state)
            before = translate.reveal(state.get("pulumiLabels") or {})
            if wanted != before and not translate.has_unknown(wanted):
                kind = "update"
                found.append(Difference("pulumiLabels", "pulumiLabels", kind, before, wanted))
        return found

    def planned(self, context: Context, inputs: Values) -> Values:
        """The outputs of a creation, as far as they are known before it."""
        self.place(context, inputs)
        outputs: Values = {}
        for name, field in self.fields.items():
            if inputs.get(name) is not None:
                outputs[name] = inputs[name]
            elif name in PLACES and context.values.get(name):
                outputs[name] = context.values[name]
            elif field.local and self.spec.local.get(name) is not None:
                outputs[name] = self.spec.local[name]
            elif field.filled:
                outputs[name] = UNKNOWN
        if "deletionPolicy" in self.fields:
            outputs["deletionPolicy"] = inputs.get("deletionPolicy") or context.deletion_policy
        if self.spec.labels:
            wanted = Labels.wanted(context.config, inputs.get(self.spec.labels), None)
            outputs |= {"pulumiLabels": wanted, "effectiveLabels": wanted}
        return self._with_secrets(outputs, inputs)

    def create(self, context: Context, inputs: Values) -> tuple[str, Values]:
        """Create it; an unfinished resource is kept as partial state."""
        self.place(context, inputs)
        plain = translate.reveal(inputs)
        try:
            self.create_remote(context, self._labelled(context, plain, None))
            self.after_create(context, plain, self.path(context))
            # An interrupted wait must not lose the resource, which exists by now.
            body = self.read_remote(context)
        except PluginError as error:
            self._keep_partial(context, inputs, error)
            raise
        if body is None:
            raise PluginError(f"{self.id(context)} was created, but cannot be found")
        return self.id(context), self.outputs(context, inputs, body, None)

    def read(
        self, context: Context, id_: str, inputs: Values, state: Values
    ) -> tuple[str, Values, Values] | None:
        """The current id, inputs and outputs; None if the resource does not exist."""
        self.place(context, {**self._parsed(context, id_), **_known(state)}, id_)
        body = self.read_remote(context)
        if body is None:
            return None
        known = state or inputs
        outputs = self.outputs(context, inputs if known else {}, body, state)
        live = translate.reveal(outputs)
        if known:
            seen = refreshed(self.fields, inputs, translate.reveal(state), live)
        else:
            seen = self._imported(live)
        return self.id(context), seen, outputs

    def update(self, context: Context, id_: str, old: Values, state: Values, new: Values) -> Values:
        """Update it in place."""
        self.place(context, {**self._parsed(context, id_), **_known(state), **_known(new)}, id_)
        plain, there = translate.reveal(new), translate.reveal(state)
        changes = self.diff(context, translate.reveal(old), there, plain)
        changed = {one.plain.partition(".")[0] for one in changes}
        if self.spec.labels and changed & {"pulumiLabels", self.spec.labels}:
            changed = changed - {"pulumiLabels"} | {self.spec.labels}
        wanted = self._labelled(context, plain, there)
        self.before_update(context)
        remote = {name for name in changed if not self._is_local(name)}
        if remote:
            self.update_remote(context, wanted, there, remote)
        self.after_update(context, plain, there)
        body = self.read_remote(context)
        if body is None:
            raise PluginError(f"{id_} is gone; run `pulumi refresh`")
        return self.outputs(context, new, body, state)

    def planned_update(self, context: Context, state: Values, new: Values) -> Values:
        """The outputs of an update, as far as they are known before it."""
        outputs = {key: value for key, value in state.items() if key in self.fields or key == "id"}
        for name, field in self.fields.items():
            if new.get(name) is not None:
                outputs[name] = new[name]
            elif field.is_input and not field.computed and not field.local:
                outputs.pop(name, None)
        if self.spec.labels:
            wanted = Labels.wanted(context.config, new.get(self.spec.labels), state)
            outputs["pulumiLabels"] = wanted
            outputs["effectiveLabels"] = Labels.effective(wanted, state)
        return self._with_secrets(outputs, new)

    def delete(self, context: Context, id_: str, inputs: Values, state: Values) -> None:
        """Delete it; no error if it does not exist."""
        self.place(context, {**self._parsed(context, id_), **_known(state)}, id_)
        plain = translate.reveal({**inputs, **state})
        policy = plain.get("deletionPolicy") or context.deletion_policy
        if policy == "ABANDON":
            return
        if policy == "PREVENT":
            raise PluginError(
                f"cannot destroy {id_}: deletionPolicy is PREVENT; "
                "set it to DELETE, run `pulumi up`, then destroy"
            )
        try:
            self.delete_remote(context, plain)
        except ApiFailure as failure:
            if failure.code != 404:
                raise

    # Steps that types override

    def prepare(self, context: Context, inputs: Values) -> None:
        """Add values that the resource's path needs and that are not fields of that name."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create the resource; wait for the operation."""
        path = context.fill(self.spec.collection)
        context.call("POST", path, self._linked(context, self.to_api(inputs)))

    def after_create(self, context: Context, inputs: Values, path: str) -> None:
        """Further requests of the official provider after a creation."""

    def read_remote(self, context: Context) -> Values | None:
        """The API's object; None if it does not exist."""
        return context.find(self.path(context))

    def before_update(self, context: Context) -> None:
        """Wait for other changes of the resource to end."""

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """Send the changes: custom verbs first, then the rest as one PATCH or PUT."""
        wanted = self._linked(context, self.to_api(self._effective(inputs, state)))
        for call in self.spec.calls:
            if changed & call.fields:
                context.call(call.method, self._call_path(context, call), call.body(wanted, state))
        rest = changed - {name for call in self.spec.calls for name in call.fields}
        if not rest or not self.spec.update:
            return
        if any(changed & call.fields for call in self.spec.calls):
            state = self._current(context, state)  # the custom verbs have changed the fingerprint
        elif self.spec.fingerprint and self.spec.update == "PATCH":
            state = self._current(context, state)
        body = wanted if self.spec.update == "PUT" else self._changed_part(wanted, rest)
        if self.spec.fingerprint:
            body["fingerprint"] = state.get("fingerprint", "")
        params = {"updateMask": ",".join(self._mask(rest))} if self.spec.update_mask else None
        context.call(self.spec.update, self.path(context), body, params)

    def after_update(self, context: Context, inputs: Values, state: Values) -> None:
        """Further requests of the official provider after an update."""

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # for those who look at it
        """Delete the resource; wait for the operation."""
        context.call("DELETE", self.path(context))

    # Parts

    def path(self, context: Context) -> str:
        """The resource's own path below its service."""
        return context.fill(f"{self.spec.collection}/{{{self.spec.name}}}")

    def id(self, context: Context) -> str:
        """The id in the official provider's form."""
        return context.fill(self.spec.id_template)

    def place(self, context: Context, inputs: Mapping[str, Any], id_: str = "") -> None:
        """Set the path's values from the fields and the provider's defaults."""
        context.service = self.spec.service
        context.subject = f"{self.spec.type.rpartition(':')[2]} {inputs.get(self.spec.name) or id_}"
        for name in self.fields:
            value = translate.reveal(inputs.get(name))
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                context.values[name] = value
        context.place(self.fields)
        self.prepare(context, dict(inputs))

    def outputs(
        self, context: Context, inputs: Values, body: Mapping[str, Any], state: Values | None
    ) -> Values:
        """All outputs: those of the API's object and the provider's own."""
        outputs = self.from_api(body)
        known = {**(state or {}), **inputs}
        for name, field in self.fields.items():
            if name in PLACES and (outputs.get(name) or context.values.get(name)):
                place = str(outputs.get(name) or context.values[name])
                outputs[name] = place.rpartition("/")[2] if name != "project" else place
            elif field.local:
                value = known.get(name, self.spec.local.get(name))
                value = outputs.get(name, context.values.get(name)) if value is None else value
                outputs[name] = value
            elif (name in self.spec.write_only or field.special) and name in known:
                outputs.setdefault(name, known[name])
            if outputs.get(name) is None:
                outputs.pop(name, None)
                if field.filled and field.kind in ZERO:
                    outputs[name] = ZERO[field.kind]
        if "deletionPolicy" in self.fields:
            outputs["deletionPolicy"] = known.get("deletionPolicy") or context.deletion_policy
        if self.spec.labels:
            outputs |= Labels.outputs(
                self.spec.labels, outputs.get(self.spec.labels) or {}, context.config, inputs, state
            )
        outputs["id"] = self.id(context)
        return self._with_secrets(outputs, {**(state or {}), **inputs})

    def _with_secrets(self, outputs: Values, source: Mapping[str, Any]) -> Values:
        for name in outputs:
            is_declared = name in self.schema.secrets or name in self.spec.secrets
            if is_declared or translate.has_secret(source.get(name)):
                outputs[name] = Secret(translate.reveal(outputs[name]))
        return outputs

    def _labelled(self, context: Context, inputs: Values, state: Values | None) -> Values:
        """The inputs with all labels that the resource gets."""
        if not self.spec.labels:
            return inputs
        wanted = Labels.wanted(context.config, inputs.get(self.spec.labels), state)
        return {**inputs, self.spec.labels: Labels.effective(wanted, state)}

    def _linked(self, context: Context, body: Values) -> Values:
        """Bare names of other resources as the paths that the API expects."""
        for name, template in self.spec.links.items():
            field = self.fields[name]
            value = body.get(field.api[0])
            if isinstance(value, list):
                body[field.api[0]] = [context.expand(one, template) for one in value]
            elif isinstance(value, str) and value:
                body[field.api[0]] = context.expand(value, template)
        return body

    def _effective(self, inputs: Values, state: Values) -> Values:
        """The inputs, with the server's values for computed fields."""
        chosen = {
            name: state[name]
            for name, field in self.fields.items()
            if field.is_input and field.computed and inputs.get(name) is None and name in state
        }
        return {**{k: v for k, v in chosen.items() if not _is_zero(v)}, **inputs}

    def _changed_part(self, wanted: Values, changed: set[str]) -> Values:
        """Only the changed fields; removed ones are null, which clears them."""
        part: Values = {}
        for name in sorted(changed):
            path = self.fields[name].api
            if path:
                value: Any = wanted
                for step in path:
                    value = value.get(step) if isinstance(value, Mapping) else None
                if value is None and self.fields[name].kind == "list":
                    value = []
                translate.put(part, path, value)
        return part

    def _mask(self, changed: set[str]) -> list[str]:
        return sorted({self.fields[name].api[0] for name in changed if self.fields[name].api})

    def _call_path(self, context: Context, call: Call) -> str:
        if call.path.startswith("/"):
            return context.fill(call.path[1:])
        separator = "" if call.path.startswith(":") else "/"
        return f"{self.path(context)}{separator}{call.path}"

    def _current(self, context: Context, state: Values) -> Values:
        body = self.read_remote(context)
        return self.from_api(body) if body else state

    def _is_local(self, name: str) -> bool:
        field = self.fields.get(name)
        return field is None or field.local or name == "deletionPolicy"

    def _parsed(self, context: Context, id_: str) -> Values:
        return context.parse(id_, self.spec.id_template, self.spec.imports)

    def _imported(self, live: Values) -> Values:
        """The inputs of a program for an imported resource."""
        found = _stated(self.fields, live)
        for name in (*PLACES, self.spec.name, *self.spec.local):
            field = self.fields.get(name)
            is_place = name in (*PLACES, self.spec.name)
            if field and field.is_input and (is_place or field.required) and live.get(name):
                found[name] = live[name]
        return found

    def _keep_partial(self, context: Context, inputs: Values, error: PluginError) -> None:
        """Raise PartialFailure if a failed creation has left a resource."""
        if not context.started or isinstance(error, PartialFailure):
            return
        # Of a resource that cannot be read only what was known before is true.
        outputs = _without_unknown(self.planned(context, inputs))
        with contextlib.suppress(PluginError):
            if not context.is_cancelled:
                body = self.read_remote(context)
                if body is None:
                    return
                outputs = self.outputs(context, inputs, body, None)
        raise PartialFailure(self.id(context), outputs, [str(error)]) from error


def _known(values: Mapping[str, Any]) -> Values:
    plain = {key: translate.reveal(value) for key, value in values.items() if key != "id"}
    return {key: value for key, value in plain.items() if value not in (None, "")}


def _without_unknown(values: Values) -> Values:
    return {key: one for key, one in values.items() if not translate.has_unknown(one)}


def _stated(fields: Mapping[str, Field], live: Mapping[str, Any]) -> Values:
    """The inputs without defaults and without values that the server chose."""
    stated: Values = {}
    for name, field in fields.items():
        value = live.get(name)
        if not field.is_input or _is_zero(value):
            continue
        if field.required or not (
            field.computed or field.local or same(field, value, field.default)
        ):
            kept = _stated(field.fields, value) if isinstance(value, Mapping) else value
            if field.kind == "map" or not isinstance(value, Mapping):
                kept = value
            if not _is_zero(kept):
                stated[name] = kept
    return stated


def _is_zero(value: Any) -> bool:
    return value is None or value in ("", [], {}, False) or value == 0


def _annotate(fields: Mapping[str, Field], spec: Spec, prefix: str) -> None:
    for name, field in fields.items():
        path = f"{prefix}{name}"
        field.set = path in spec.sets
        field.local = path in spec.local
        field.special = path in spec.special
        field.computed = path in spec.computed or (
            field.filled and field.is_input and not field.required
        )
        if not prefix and name in (*PLACES, "deletionPolicy"):
            field.computed = True
        if path in spec.defaults:
            field.default = spec.defaults[path]
        _annotate(field.fields, spec, f"{path}.")
