"""The component of all imports: the Jobs, and the Secrets with the hub's tokens."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.batch import v1 as batch

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving import secret_sync
from infra.serving.imports import jobs
from infra.serving.imports.access import ImportAccess
from infra.serving.manifest import Manifest, sdk
from infra.serving.models import Workload
from infra.serving.models.imports import Imported
from infra.serving.tenancy.bucket import ModelStore
from infra.serving.tenancy.namespaces import ModelsNamespace


class ModelImports(pulumi.ComponentResource):
    """A Job for each revision that a model or an adapter names.

    A Job is complete when the files are in the bucket, and fails the update otherwise: what depends
    on it keeps the former revision.
    """

    jobs: dict[str, pulumi.Resource]
    """By name."""

    def __init__(
        self,
        name: str,
        workloads: Sequence[Workload],
        *,
        namespaces: Mapping[str, ModelsNamespace],
        store: ModelStore,
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelImports", name, None, opts)
        self.jobs = {}
        for namespace in namespaces.values():
            own = [
                imported
                for workload in workloads
                if workload.namespace == namespace.name
                for imported in workload.imports
            ]
            if not own:
                continue
            access = ImportAccess(
                f"{namespace.name}-import",
                own,
                namespace=namespace,
                bucket=store.name,
                workload_pool=workload_pool,
                naming=naming,
                labels=labels,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self._secrets: dict[str, list[pulumi.Resource]] = {}
            for imported in own:
                self._import(imported, namespace, access, naming, labels)
        self.register_outputs({})

    def _import(
        self,
        imported: Imported,
        namespace: ModelsNamespace,
        access: ImportAccess,
        naming: Naming,
        labels: Labels,
    ) -> None:
        object_labels = labels.kubernetes(name=imported.owner, component=jobs.COMPONENT)
        metadata: Manifest = {"namespace": namespace.name, "labels": object_labels}
        wait: list[pulumi.Resource] = [access, *access.grants]
        if imported.token:
            owner = jobs.secret_owner(imported)
            key = imported.token.name(owner)
            if key not in self._secrets:
                self._secrets[key] = secret_sync.synchronize(
                    owner,
                    [imported.token],
                    account=jobs.COMPONENT,
                    project=naming.environment.project,
                    metadata=metadata,
                    parent=access,
                )
            wait += self._secrets[key]
        self.jobs[imported.name] = batch.Job(
            imported.name,
            metadata=sdk(
                {
                    **metadata,
                    "name": imported.name,
                    "annotations": jobs.annotations(imported),
                }
            ),
            spec=sdk(jobs.job(imported, labels=object_labels)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=wait),
        )


def model_imports(
    name: str,
    workloads: Sequence[Workload],
    *,
    namespaces: Mapping[str, ModelsNamespace],
    store: ModelStore,
    workload_pool: str,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> Mapping[str, pulumi.Resource]:
    """The Jobs by name; none if nothing is imported."""
    if not any(one.imports for one in workloads):
        return {}
    return ModelImports(
        name,
        workloads,
        namespaces=namespaces,
        store=store,
        workload_pool=workload_pool,
        naming=naming,
        labels=labels,
        opts=opts,
    ).jobs
