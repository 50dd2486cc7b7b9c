"""Rules about where images come from, and how exactly they are named."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.pods import PODS, Pod, named, pod
from policies.rule import advisory, cis, google, kubernetes_docs, mandatory
from policies.values import text

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_IMAGES = kubernetes_docs("Images", "concepts/containers/images/")


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="A tag that moves makes two pods of one Deployment run different programs, and a "
    "rollback run neither.",
    fix="name a version or a digest (gke-serving:models[].image)",
    references=(
        _IMAGES,
        google("Image tags and digests", "kubernetes-engine/docs/concepts/about-container-images"),
    ),
    passing=pod(container={"image": "registry.example:5000/server:2.19.1"}),
    failing=pod(container={"image": "registry.example:5000/server"}),
)
def images_name_a_version(pod: Pod) -> Iterator[str]:
    """Every image is named by a digest or by a tag other than `latest`."""
    for container in pod.containers():
        image = text(container, "image")
        if not image:
            yield f"{named(container)} names no image"
        elif "@" not in image:
            # A colon before the last slash is a registry's port.
            tag = image.rpartition("/")[2].partition(":")[2]
            if tag in {"", "latest"}:
                yield f"{named(container)} runs {image}{'' if tag else ', which is :latest'}"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="A tag can be moved to another image after it was tested; a digest cannot.",
    fix="name the digest: `image: registry/name:tag@sha256:…` (gke-serving:models[].image)",
    references=(
        google("Image tags and digests", "kubernetes-engine/docs/concepts/about-container-images"),
    ),
    passing=pod(container={"image": "registry.example/server:2.19.1@sha256:" + "0a" * 32}),
    failing=pod(container={"image": "registry.example/server:2.19.1"}),
)
def images_are_pinned_by_digest(pod: Pod) -> Iterator[str]:
    """Every image is named by its digest."""
    for container in pod.containers():
        if (image := text(container, "image")) and not _DIGEST.search(image):
            yield f"{named(container)} runs {image}, not a digest"


class Registries(Settings):
    """Where images may come from."""

    allowed: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Registries and the beginnings of repositories; `*` stands for any text.",
        ),
    ] = (
        "*-docker.pkg.dev/",
        "gcr.io/",
        "*.gcr.io/",
        "registry.k8s.io/",
        "nvcr.io/nvidia/",
        "ghcr.io/zalando/",
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
    why="An image of an unknown origin is a program of a stranger inside the cluster.",
    fix="mirror the image into a registry of one's own, or allow its origin "
    "(gke-policies:parameters, images-come-from-allowed-registries.allowed)",
    references=(
        cis("5.1.4"),
        google("Binary authorization", "binary-authorization/docs/overview"),
        _IMAGES,
    ),
    passing=pod(container={"image": "europe-west4-docker.pkg.dev/acme/models/server:1.0"}),
    failing=pod(container={"image": "docker.io/somebody/server:1.0"}),
)
def images_come_from_allowed_registries(pod: Pod, given: Registries) -> Iterator[str]:
    """Every image comes from a registry that is allowed."""
    for container in pod.containers():
        image = text(container, "image")
        whole = canonical(image)
        if image and not any(fnmatchcase(whole, f"{one}*") for one in given.allowed):
            yield f"{named(container)} runs {image}, which is of no allowed registry"


def canonical(image: str) -> str:
    """An image with its registry: what names none is Docker Hub's, in `library` if unowned."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image if slash else f'library/{image}'}"
