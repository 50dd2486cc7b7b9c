"""What the preloaded interpreter imports: modules of locked packages, none of this repository.

What is missing here is imported by the child that needs it. Tests hold the SDKs' part against the
imports of the layers.
"""

from sandbox.services import SERVICES

GCP = tuple(sorted({package for row in SERVICES for package in row.packages}))
"""Modules of pulumi_gcp: those of the emulated services."""

KUBERNETES = (
    "admissionregistration.v1", "apiextensions", "apiextensions.v1", "apiregistration.v1",
    "apps.v1", "autoscaling.v2", "batch.v1", "core.v1", "networking.v1", "policy.v1", "rbac.v1",
    "scheduling.v1", "storage.v1",
)  # fmt: skip
"""Modules of pulumi_kubernetes."""

OTHERS = (
    "filelock",
    "google.protobuf.any_pb2",
    "google.protobuf.empty_pb2",
    "google.protobuf.struct_pb2",
    "grpc",
    "httpx",
    "msgspec",
    "msgspec.json",
    "psutil",
    "pulumi",
    "pulumi.policy",
    "pulumi.runtime",
    "pulumi.runtime.proto.analyzer_pb2",
    "pulumi.runtime.proto.analyzer_pb2_grpc",
    "pulumi.runtime.proto.engine_pb2_grpc",
    "pulumi.runtime.proto.language_pb2",
    "pulumi.runtime.proto.language_pb2_grpc",
    "pulumi.runtime.proto.plugin_pb2",
    "pulumi.runtime.proto.provider_pb2",
    "pulumi.runtime.proto.provider_pb2_grpc",
    "pulumi.runtime.proto.status_pb2",
    "pulumi_gcp",
    "pulumi_gcp.organizations",
    "pulumi_kubernetes",
    "pulumi_policy",
    "pulumi_random",
    "yaml",
)
"""What programs, the policy pack, the language host and the plugins import beside these."""

PRELOADED = (
    *OTHERS,
    *(f"pulumi_gcp.{name}" for name in GCP),
    *(f"pulumi_kubernetes.{name}" for name in KUBERNETES),
)
