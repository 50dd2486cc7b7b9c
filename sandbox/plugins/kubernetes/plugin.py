"""The provider: any kind of object, by server-side apply, previewed by the API server itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from sandbox.plugins.kubernetes import immutable, kubeconfig, names, ownership, settings, shape
from sandbox.plugins.kubernetes.applying import Applier
from sandbox.plugins.kubernetes.client import ApiError, Client, NoSuchKindError, Unreachable
from sandbox.plugins.kubernetes.waiting import NotReadyError, Wait, is_skipped, seconds
from sandbox.plugins.provider import (
    UNKNOWN,
    CheckFailure,
    CheckResult,
    DiffResult,
    PartialFailure,
    PluginError,
    Properties,
    Provider,
    has_unknown,
    reveal,
)

Json = dict[str, Any]
_MANAGER = "__fieldManager"
_API_VERSION = "__initialApiVersion"
_PROPAGATION = "pulumi.com/deletionPropagationPolicy"
# Fields that are unknown until the object exists.
_METADATA_OF_A_NEW_OBJECT = ("uid", "resourceVersion", "creationTimestamp", "generation")


class KubernetesProvider(Provider):
    """Kubernetes objects as Pulumi resources."""

    name = "kubernetes"
    version = version("pulumi-kubernetes")

    def __init__(self) -> None:
        super().__init__()
        self._settings = settings.read({})
        self._client: Client | None = None
        self._namespace: str | None = None
        self._has_said_unknown = False

    # The provider's own settings.

    def diff_config(self, old: Properties, new: Properties) -> DiffResult:
        """Another cluster replaces all its objects; new credentials or a new address do not."""
        if reveal(old) == reveal(new):
            return DiffResult(changes=False)
        was, now = settings.read(old), settings.read(new)
        if was.cluster_identifier or now.cluster_identifier:
            is_other = was.cluster_identifier != now.cluster_identifier
            names_of_it = ["clusterIdentifier"]
        elif not (was.is_known and now.is_known):
            return DiffResult(changes=True)
        else:
            before = kubeconfig.identity(was.kubeconfig, was.context, was.cluster)
            after = kubeconfig.identity(now.kubeconfig, now.context, now.cluster)
            is_other = before is not None and after is not None and before != after
            names_of_it = [k for k in ("kubeconfig", "context", "cluster") if _differs(old, new, k)]
        return DiffResult(changes=True, replaces=names_of_it if is_other else ())

    def configure(self, args: Properties) -> None:
        """Find the cluster; an unknown one is resolved later."""
        self._settings = chosen = settings.read(args)
        if not chosen.is_known:
            return
        cluster = kubeconfig.load(chosen.kubeconfig, chosen.context, chosen.cluster)
        self._namespace = chosen.namespace or cluster.namespace
        self._client = Client(cluster, self.cancelled)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    # Inputs.

    def check(
        self, *, type: str, urn: str, olds: Properties, news: Properties, random_seed: bytes
    ) -> CheckResult:  # fmt: skip
        """Complete kind, name and namespace."""
        inputs: Properties = shape.without_nulls(news)
        api_version, kind = names.kind_of(type)
        inputs.setdefault("apiVersion", api_version)
        inputs.setdefault("kind", kind)
        metadata = inputs.get("metadata") or {}
        if metadata is UNKNOWN:
            return CheckResult(inputs)
        if not isinstance(metadata, dict):
            return CheckResult(inputs, [CheckFailure("metadata", "must be an object")])
        if not metadata.get("name") and not metadata.get("generateName"):
            if names.is_patch(type, inputs):
                failure = CheckFailure("metadata.name", "a patch needs the name of its object")
                return CheckResult(inputs, [failure])
            metadata = names.with_name(metadata, olds.get("metadata"), urn, random_seed)
        if not metadata.get("namespace") and self._is_namespaced(inputs, olds):
            metadata = {**metadata, "namespace": self._namespace or "default"}
        inputs["metadata"] = metadata
        return CheckResult(shape.with_secret_data(inputs), _mistakes(reveal(metadata)))

    def _is_namespaced(self, inputs: Properties, olds: Properties) -> bool:
        api_version, kind = reveal(inputs["apiVersion"]), reveal(inputs["kind"])
        known = names.has_namespace({"apiVersion": api_version, "kind": kind})
        if known is not None:
            return known
        if self._client is not None and not has_unknown([api_version, kind]):
            try:
                return self._client.resource(api_version, kind).namespaced
            except PluginError:
                pass  # create reports it, with all inputs known
        old = olds.get("metadata")
        return isinstance(old, dict) and bool(old.get("namespace"))

    def diff(
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,  # noqa: ARG002
        new_inputs: Properties, ignore_changes: Sequence[str],
    ) -> DiffResult:  # fmt: skip
        """Compare inputs; immutable fields replace, also those that only the server knows."""
        old, new = reveal(old_inputs), reveal(new_inputs)
        detailed: dict[str, str] = {}
        for path, change in shape.differences(old, new):
            if any(path == i or path.startswith((f"{i}.", f"{i}[")) for i in ignore_changes):
                continue
            # Another version of the same kind is the same object.
            is_other_kind = path == "apiVersion" and names.group(old) != names.group(new)
            fixed = immutable.replaces(new, path, mutable=self._settings.mutable)
            # A patch does not own its object, so no change of it replaces.
            replaces = is_other_kind or fixed
            if names.is_patch(type, new) and not path.startswith("metadata.name"):
                replaces = is_other_kind
            detailed[path] = f"{change}-replace" if replaces else change
        fields = [path for path, change in detailed.items() if change.endswith("-replace")]
        if detailed and not fields and not names.is_patch(type, new):
            for field in self._refused(urn, new_inputs, old_inputs, old_outputs):
                fields.append(field)
                detailed[field] = "update-replace"
        return DiffResult(
            changes=bool(detailed),
            replaces=fields,
            detailed=detailed,
            delete_before_replace=bool(fields) and _takes_its_own_place(old, new),
        )

    def _refused(
        self, urn: str, new: Properties, old: Properties, outputs: Properties
    ) -> list[str]:
        """The fields that the API server reports as immutable."""
        if self._client is None or has_unknown(new):
            return []
        try:
            self._applier(urn, outputs.get(_MANAGER)).apply(new, before=old, dry_run=True)
        except ApiError as error:
            return immutable.refused_fields(error.code, error.details)
        except PluginError:
            return []  # the preview that follows reports the error
        return []

    # Objects.

    def create(
        self, *, type: str, urn: str, inputs: Properties, timeout: float, preview: bool
    ) -> tuple[str, Properties]:
        """Apply and wait."""
        if preview:
            return "", self._previewed(type, urn, inputs, {}, {})
        client = self._known_client(urn)
        applier = self._applier(urn)
        if not names.is_patch(type, reveal(inputs)) and not self._settings.upsert:
            applier.check_absent(inputs, seconds(reveal(inputs), timeout))
        live = applier.apply(inputs)
        made = names.id_of(live)
        if live["kind"] == "CustomResourceDefinition":
            client.forget_kinds()
        return made, self._awaited(type, urn, inputs, live, timeout, applier)

    def update(  # noqa: PLR0913
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,
        new_inputs: Properties, timeout: float, preview: bool, ignore_changes: Sequence[str],
    ) -> Properties:  # fmt: skip
        """Apply and wait; fields removed from the inputs are removed from the object."""
        if preview:
            return self._previewed(type, urn, new_inputs, old_inputs, old_outputs)
        applier = self._applier(urn, old_outputs.get(_MANAGER))
        try:
            live = applier.apply(new_inputs, before=old_inputs, ignored=ignore_changes, id=id)
        except Unreachable:
            if not self._settings.skip_update_unreachable:
                raise
            self.log(urn, "the cluster does not answer; left as it was", "warning")
            return old_outputs
        return self._awaited(type, urn, new_inputs, live, timeout, applier)

    def read(
        self, *, type: str, urn: str, id: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties] | None:
        """The live object; drift of managed fields appears in the inputs."""
        client = self._known_client(urn)
        api_version, kind = names.kind_of(type)
        source = reveal(inputs or outputs)
        if names.is_patch(type, source) or (not source and kind.endswith("Patch")):
            kind = source.get("kind") or kind.removesuffix("Patch")
        api_version = source.get("apiVersion") or api_version
        try:
            resource = client.resource(api_version, source.get("kind") or kind)
            namespace, _, name = id.rpartition("/")
            if resource.namespaced and not namespace:
                namespace = self._namespace or "default"
            live = client.get(resource.path(namespace, name))
        except NoSuchKindError:
            return None  # its kind was removed from the cluster with all its objects
        except Unreachable:
            if self._settings.delete_unreachable:
                return None
            if self._settings.skip_update_unreachable and outputs:
                self.log(urn, "the cluster does not answer; left as it was", "warning")
                return id, inputs, outputs
            raise
        if live is None:
            return None
        known = outputs.get(_MANAGER)
        if not inputs:
            found = shape.with_secret_data(ownership.imported(live))
            return names.id_of(live), found, _outputs(found, live, names.manager(urn, known))
        now = shape.with_secret_data(shape.refreshed(inputs, reveal(outputs), live))
        return id, now, _outputs(now, live, names.manager(urn, known))

    def delete(
        self, *, type: str, urn: str, id: str, inputs: Properties, outputs: Properties,
        timeout: float,
    ) -> None:  # fmt: skip
        """Delete the object and wait until it is gone. A patch releases its fields."""
        client = self._known_client(urn)
        plain = reveal(inputs) or reveal(outputs)
        applier = self._applier(urn, outputs.get(_MANAGER))
        try:
            resource = client.resource(str(plain["apiVersion"]), str(plain["kind"]))
            path = resource.path(*_split(id))
            if names.is_patch(type, plain):
                applier.release(path, plain)
                return
            found = client.get(path)
            was = (reveal(outputs).get("metadata") or {}).get("uid")
            if found is None or (was and found["metadata"]["uid"] != was):
                return
            self._delete(client, path, found, plain)
        except NoSuchKindError:
            return  # its kind was removed from the cluster with all its objects
        except ApiError as error:
            raise applier.explained(error, plain) from None
        except Unreachable:
            if self._settings.delete_unreachable:
                return
            raise
        if is_skipped(plain, deleting=True):
            return
        try:
            self._wait(client, urn, path, plain, timeout).until_gone(found["metadata"]["uid"])
        except PluginError as error:
            raise PluginError(f"{names.spoken(urn)}: {error}") from None

    @staticmethod
    def _delete(client: Client, path: str, found: Json, plain: Json) -> None:
        annotations = (plain.get("metadata") or {}).get("annotations") or {}
        policy = str(annotations.get(_PROPAGATION) or "Foreground").capitalize()
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": policy,
            # Another object of the same name is not ours.
            "preconditions": {"uid": found["metadata"]["uid"]},
        }
        try:
            client.request("DELETE", path, options)
        except ApiError as error:
            if error.code not in {404, 409}:
                raise

    # Implementation.

    def _known_client(self, urn: str) -> Client:
        if self._client is None:
            raise PluginError(f"{names.spoken(urn)}: the provider's kubeconfig is not known")
        return self._client

    def _applier(self, urn: str, known: Any = None) -> Applier:
        return Applier(
            client=self._known_client(urn),
            urn=urn,
            known_manager=known,
            force=self._settings.patch_force,
            log=self.log,
            cancelled=self.cancelled,
        )

    def _wait(self, client: Client, urn: str, path: str, plain: Json, timeout: float) -> Wait:
        return Wait(
            client,
            path,
            self.cancelled,
            seconds(plain, timeout),
            lambda text: self.log(urn, text and f"waiting: {text}", status=True),
        )

    def _previewed(
        self, type: str, urn: str, inputs: Properties, before: Properties, old: Properties
    ) -> Properties:
        """The result of a dry run; values that are only known later are unknown."""
        guess = {**inputs, "status": UNKNOWN} if not old else _guess(inputs, old)
        if self._client is None:
            if not self._has_said_unknown:
                self._has_said_unknown = True
                self.log(urn, "its cluster is not made yet: the API server checks nothing now")
            return guess
        if has_unknown(inputs):
            return guess
        applier = self._applier(urn, old.get(_MANAGER))
        is_new = not old and not names.is_patch(type, reveal(inputs))
        try:
            live = applier.apply(inputs, before=before, dry_run=True, forced=is_new)
        except NoSuchKindError as error:
            self.log(urn, f"not checked: {error}", "info")
            return guess
        except ApiError as error:
            # The previewed update may create its namespace; and an object that
            # is replaced is still there, with what cannot change in place.
            is_homeless = error.code == 404 and error.details.get("kind") == "namespaces"
            is_replaced = is_new and immutable.refused_fields(error.code, error.details)
            if is_homeless or is_replaced:
                return guess
            if error.code == 403:
                self.log(urn, f"not checked by the API server: {error}", "warning")
                return guess
            raise
        # Only an existing object has a resourceVersion in a dry run.
        if is_new and live["metadata"].get("resourceVersion") and not self._settings.upsert:
            try:
                applier.check_absent(inputs, 0)
            except PluginError as error:
                # A replacement of a renamed resource looks the same, so it is not refused here.
                self.log(urn, str(error), "warning")
        outputs = _outputs(inputs, live, applier.manager(reveal(inputs)))
        return _with_unknowns(inputs, outputs) if is_new else outputs

    def _awaited(
        self, type: str, urn: str, inputs: Properties, live: Json, timeout: float, applier: Applier
    ) -> Properties:  # fmt: skip
        """The outputs of an object once it is ready. Raises PartialFailure with the reasons."""
        plain = reveal(inputs)
        manager, made = applier.manager(plain), names.id_of(live)
        if is_skipped(plain) or names.is_patch(type, plain):
            return _outputs(inputs, live, manager)
        client = self._known_client(urn)
        path = client.resource(live["apiVersion"], live["kind"]).path(*_split(made))
        try:
            ready = self._wait(client, urn, path, plain, timeout).until_ready(live)
        except NotReadyError as error:
            outputs = _outputs(inputs, error.live, manager)
            reasons = [shape.masked(reason, inputs) for reason in error.reasons]
            first = f"{names.spoken(urn)}: {reasons[0]}"
            raise PartialFailure(made, outputs, [first, *reasons[1:]]) from None
        except PluginError as error:
            raise PluginError(f"{names.spoken(urn)}: {error}") from None
        return _outputs(inputs, ready, manager)


def _mistakes(metadata: Json) -> list[CheckFailure]:
    """Problems of the metadata that apply to every kind."""
    return [
        CheckFailure(shape.below(f"metadata.{field}", key), "must be a string; quote it")
        for field in ("labels", "annotations")
        for key, value in _items(metadata.get(field))
        if not isinstance(value, str) and value is not UNKNOWN
    ]


def _items(value: Any) -> Sequence[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _differs(old: Properties, new: Properties, name: str) -> bool:
    return bool(reveal(old).get(name) != reveal(new).get(name))


def _takes_its_own_place(old: Json, new: Json) -> bool:
    """Whether the new object has the old one's name, so that the old one is deleted first."""
    was, now = old.get("metadata") or {}, new.get("metadata") or {}
    if names.is_autonamed(now) or not now.get("name"):
        return False
    return was.get("name") == now["name"] and was.get("namespace") == now.get("namespace")


def _split(id: str) -> tuple[str, str]:
    namespace, _, name = id.rpartition("/")
    return namespace, name


def _outputs(inputs: Properties, live: Json, manager: str) -> Properties:
    outputs = shape.outputs(inputs, live)
    return {**outputs, _MANAGER: manager, _API_VERSION: live["apiVersion"]}


def _guess(inputs: Properties, old: Properties) -> Properties:
    """An updated object without a dry run: server-set fields are kept."""
    return {**_laid_over(old, inputs), "status": UNKNOWN}


def _laid_over(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: _laid_over(old.get(key), value) for key, value in new.items()}}
    return new


def _with_unknowns(inputs: Properties, outputs: Properties) -> Properties:
    """A dry run's outputs without values that a dry run invents."""
    metadata = {**outputs["metadata"], **dict.fromkeys(_METADATA_OF_A_NEW_OBJECT, UNKNOWN)}
    known = {**outputs, "metadata": metadata, "status": UNKNOWN}
    if outputs["kind"] == "Service" and outputs["apiVersion"] == "v1":
        given = reveal(inputs).get("spec") or {}
        spec = {k: v for k, v in outputs["spec"].items() if k in given}
        drawn = ("clusterIP", "clusterIPs", "ports", "healthCheckNodePort")
        rest = {
            k: UNKNOWN if k in drawn else v for k, v in outputs["spec"].items() if k not in given
        }
        known["spec"] = {**spec, **rest, "ports": _ports(given, outputs["spec"])}
    return known


def _ports(given: Json, made: Json) -> Any:
    """A Service's ports; node ports are allocated on creation."""
    asked = given.get("ports") or []
    return [
        {**port, "nodePort": UNKNOWN}
        if "nodePort" in port and not (i < len(asked) and asked[i].get("nodePort"))
        else port
        for i, port in enumerate(made.get("ports") or [])
    ]
