"""Rules about container images: versions, digests, registries."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.pods import PODS, Pod, describe, pod
from policies.rule import Reference, advisory, cis, google, kubernetes_docs, mandatory
from policies.values import text
from policies.vulnerable_images import of_image

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_IMAGES = kubernetes_docs("Images", "concepts/containers/images/")


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="With a moving tag, pods of one Deployment may run different images, and a rollback "
    "may not restore the old one.",
    fix="use a version tag or a digest (gke-serving:models[].image)",
    references=(
        _IMAGES,
        google("Image tags and digests", "kubernetes-engine/docs/concepts/about-container-images"),
    ),
    passing=pod(container={"image": "registry.example:5000/server:2.19.1"}),
    failing=pod(container={"image": "registry.example:5000/server"}),
)
def images_name_a_version(pod: Pod) -> Iterator[str]:
    """Every image has a digest or a tag other than `latest`."""
    for container in pod.containers():
        image = text(container, "image")
        if not image:
            yield f"{describe(container)} has no image"
        elif "@" not in image:
            # A colon before the last slash is a registry's port.
            tag = image.rpartition("/")[2].partition(":")[2]
            if tag in {"", "latest"}:
                yield f"{describe(container)} runs {image}{'' if tag else ', which is :latest'}"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="A tag can be moved to another image after testing; a digest cannot.",
    fix="add the digest: `image: registry/name:tag@sha256:…` (gke-serving:models[].image)",
    references=(
        google("Image tags and digests", "kubernetes-engine/docs/concepts/about-container-images"),
    ),
    passing=pod(container={"image": "registry.example/server:2.19.1@sha256:" + "0a" * 32}),
    failing=pod(container={"image": "registry.example/server:2.19.1"}),
)
def images_are_pinned_by_digest(pod: Pod) -> Iterator[str]:
    """Every image is pinned by digest."""
    for container in pod.containers():
        if (image := text(container, "image")) and not _DIGEST.search(image):
            yield f"{describe(container)} runs {image}, without a digest"


class AllowedRegistries(Settings):
    """Registries that images may come from."""

    allowed: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Prefixes of allowed image names; `*` matches any text.",
        ),
    ] = (
        "*-docker.pkg.dev/",
        "gcr.io/",
        "*.gcr.io/",
        "registry.k8s.io/",
        "nvcr.io/nvidia/",
        "ghcr.io/zalando/",
        "docker.io/envoyproxy/",
        "docker.io/valkey/",
        "registry.opensource.zalan.do/",
        "docker.io/tensorflow/",
        "docker.io/vllm/",
        "docker.io/pytorch/",
        "docker.io/kserve/",
        "docker.io/library/",
    )


@advisory(
    PODS,
    layer="serving",
    severity="medium",
    why="An image from an unknown registry runs untrusted code in the cluster.",
    fix="mirror the image into your own registry, or allow its registry "
    "(gke-policies:parameters, images-come-from-allowed-registries.allowed)",
    references=(
        cis("5.1.4"),
        google("Binary authorization", "binary-authorization/docs/overview"),
        _IMAGES,
    ),
    passing=pod(container={"image": "europe-west4-docker.pkg.dev/acme/models/server:1.0"}),
    failing=pod(container={"image": "docker.io/somebody/server:1.0"}),
)
def images_come_from_allowed_registries(pod: Pod, given: AllowedRegistries) -> Iterator[str]:
    """Every image comes from an allowed registry."""
    for container in pod.containers():
        image = text(container, "image")
        whole = canonical(image)
        if image and not any(fnmatchcase(whole, f"{one}*") for one in given.allowed):
            yield f"{describe(container)} runs {image}, which is not from an allowed registry"


@mandatory(
    PODS,
    layer="serving",
    severity="high",
    why="The vulnerability is public, and a release fixes it.",
    fix="use the release that fixes it, or a later one",
    references=(
        Reference("NIST", "National Vulnerability Database", "https://nvd.nist.gov/vuln"),
        _IMAGES,
    ),
    passing=pod(container={"image": "docker.io/vllm/vllm-openai:v0.33.0"}),
    failing=pod(container={"image": "docker.io/vllm/vllm-openai:v0.8.4"}),
)
def model_servers_have_no_known_vulnerabilities(pod: Pod) -> Iterator[str]:
    """A model server's image has no known vulnerability that a release fixes."""
    for container in pod.containers():
        if found := of_image(image := text(container, "image")):
            last = ".".join(map(str, max(one.fixed_in for one in found)))
            known = "; ".join(f"{one.id}, {one.what}" for one in found)
            yield f"{describe(container)} runs {image}; {last} fixes what is known of it: {known}"


def canonical(image: str) -> str:
    """Return an image with its registry. Without one it is Docker Hub's (`library/` if bare)."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image if slash else f'library/{image}'}"
