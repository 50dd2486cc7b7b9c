"""Text patterns of settings that more than one room uses."""

import ipaddress
import re
from typing import Annotated

from msgspec import Meta

_LONGEST_NAME = 30
_SCHEMES = {
    "hf": "set it as import.from, and source to the folder of the bucket that it is copied into",
    "https": "copy the model to a bucket once: gcloud storage rsync",
    "oci": "set image, and files: {via: image}",
    "pvc": "set image and files: {via: image}, and mount the claim in /models by pod.volumes",
    "s3": "copy the model to a bucket once: gcloud storage rsync",
}
"""Where else models are kept, and what to do with those here."""


def _name(value: object) -> str:
    written = str(value)
    meant = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-")
    rule = "use lower-case letters, digits and hyphens, and begin with a letter"
    if len(meant) > _LONGEST_NAME:
        return f'"{written}" has {len(written)} characters; a name has at most {_LONGEST_NAME}'
    if not meant[:1].isalpha() or not meant.isascii():
        return f'"{written}" is not a name of Kubernetes; {rule}'
    return f'"{written}" is not a name of Kubernetes; did you mean "{meant}"? {rule}'


def _source(value: object) -> str:
    written = str(value).strip()
    scheme, separator, rest = written.partition("://")
    if separator and scheme in _SCHEMES:
        return f'"{written}" is not in Cloud Storage; {_SCHEMES[scheme]}'
    bucket, _, folder = rest.partition("/")
    if scheme.lower() != "gs" or not separator:
        return f'"{written}" is not a folder of a bucket, as gs://bucket/path is'
    if not folder.strip("/"):
        return f'"{written}" is a whole bucket; name a folder in it: gs://{bucket}/path'
    parts = [part for part in folder.split("/") if part]
    if all(re.fullmatch(_PART, part) for part in parts):
        return (
            f'"{written}" is not written plainly; did you mean "gs://{bucket}/{"/".join(parts)}"?'
        )
    return (
        f'"{written}" is no plain path: spaces, wildcards (* ? [ ] #), commas and the parts . and '
        ".. are read otherwise by the programs that copy or mount it; rename the folder"
    )


def _image(value: object) -> str:
    written = str(value).strip()
    if "://" in written:
        return f'"{written}" is a URL; leave out {written.partition("://")[0]}://'
    name, at, digest = written.partition("@")
    if at and not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        return f'"{written}" has no digest; it is sha256: and 64 hexadecimal digits'
    folder, slash, last = name.rpartition("/")
    last, colon, _ = last.partition(":")
    repository = f"{folder}{slash}{last}"
    if repository != repository.lower():
        return f'"{written}" has upper-case letters, which names of images do not have'
    if not at and not colon:
        return f'"{written}" has no tag, which means latest; add a version or a digest: {name}:v1'
    return f'"{value}" is not an image, as repository/name:v1 or repository/name@sha256:… are'


def _path(value: object) -> str:
    written = str(value).strip()
    if written == "/":
        return "/ is every path; name the paths that callers use"
    plain = re.sub(r"[:*].*$", "", written)
    meant = "/" + "/".join(part for part in plain.split("/") if part)
    if meant != "/" and re.fullmatch(_PATH, meant):
        why = (
            "what is below a path, and its verbs, belong to it"
            if plain != written
            else "it begins with a slash and does not end with one"
        )
        return f'"{written}" is not a path; did you mean "{meant}"? {why}'
    return f'"{written}" is not a path, as /v1/models is'


def _host(value: object) -> str:
    written = str(value).strip()
    meant = re.sub(r"^[a-z]+://", "", written.lower()).partition("/")[0].partition(":")[0]
    if meant.startswith("*."):
        return f'"{written}" is a wildcard; list the names that callers use'
    if re.fullmatch(_HOST, meant):
        return f'"{written}" is not a host name; did you mean "{meant}"?'
    return f'"{written}" is not a host name, as models.acme.example is'


def _cidr(value: object) -> str:
    written = str(value).strip()
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return f'"{written}" is not a network, as 203.0.113.0/24 is'
    if network.version != 4:
        return f'"{written}" is a network of IPv6, and the load balancers have addresses of IPv4'
    return f'"{written}" is not written as a network; did you mean "{network}"?'


_PATH = r"(/[A-Za-z0-9._~-]+)+"
_HOST = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}"
# Wildcards of gcloud storage, and the comma that separates mount options.
_PART = r"(?!\.\.?(/|$))[^/\s*?#,\[\]]+"
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"

Name = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$", extra={"explain": _name})]
"""A model, a team, a namespace or a Postgres cluster."""
ServedName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.:/-]{0,250}[A-Za-z0-9_])?$")]
"""A model's name for its server and callers: `half_plus_two`, `meta-llama/Llama-3.1-8B`."""
Host = Annotated[str, Meta(pattern=rf"^{_HOST}$", extra={"explain": _host})]
Path = Annotated[str, Meta(pattern=rf"^{_PATH}$", extra={"explain": _path})]
RootPath = Annotated[str, Meta(pattern=rf"^(/|{_PATH})$", extra={"explain": _path})]
"""A path, or `/`."""
Cidr = Annotated[
    str,
    Meta(pattern=rf"^{_OCTET}(\.{_OCTET}){{3}}/([12]?[0-9]|3[0-2])$", extra={"explain": _cidr}),
]
SecretName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$")]
ResourceName = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
StorageClass = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Source = Annotated[
    str,
    Meta(
        pattern=rf"^gs://[a-z0-9][-a-z0-9_.]{{1,61}}[a-z0-9](/{_PART})+$",
        extra={"explain": _source},
    ),
]
"""A folder in a bucket."""
Image = Annotated[
    str,
    Meta(
        pattern=r"^[^\s:@A-Z]+(:[0-9]+/[^\s:@A-Z]+)?"
        r"(:[\w.-]+(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$",
        extra={"explain": _image},
    ),
]
"""An image with a tag, a digest, or both."""
# Kubernetes assigns node ports above this band first, so that those below are free to choose:
# min(max(16, 2768 / 32), 128) = 86 ports (ServiceNodePortStaticSubrange, on since 1.27).
NODE_PORTS = range(30000, 30086)
NodePort = Annotated[int, Meta(ge=NODE_PORTS.start, le=NODE_PORTS.stop - 1)]

RESERVED_NAMESPACES = ("default", "kube-", "gke-", "gmp-", "istio-system", "ingress-nginx")
"""Prefixes of the cluster's own namespaces."""


def duplicate(values: tuple[str, ...]) -> str | None:
    """The first value that is listed twice; None if there is none."""
    return next((value for value in values if values.count(value) > 1), None)
