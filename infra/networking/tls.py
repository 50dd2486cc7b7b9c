"""Configuration of HTTPS: domains, certificates, SSL policy, DNS.

`certificate_coverage` validates it; `certificates`, `https` and `dns_records` declare resources.
"""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings

Name = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
"""Short, because it is part of physical names."""


class DomainArgs(Settings):
    """A domain of the load balancer."""

    name: Annotated[
        str,
        Meta(description="Domain, such as `models.acme.example`, or a wildcard `*.acme.example`."),
    ]
    certificate: Annotated[
        str | None,
        Meta(description="Certificate that must cover it. Default: any that does."),
    ] = None
    record: Annotated[
        bool, Meta(description="Whether the zone of `dns` gets an A record for it.")
    ] = True


class CertificateArgs(Settings):
    """Settings of every kind of certificate."""

    name: Annotated[Name, Meta(description="Name of the certificate.")]
    domains: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Domains, at most 100. Changing them recreates the certificate.",
        ),
    ]
    replaces: Annotated[
        str | None,
        Meta(
            description="Certificate whose domains it takes over; both serve until that is removed."
        ),
    ] = None


class GoogleManagedCertificate(CertificateArgs, tag_field="kind", tag="google-managed"):
    """A classic certificate, issued once its domains resolve to the load balancer."""


class ManagerCertificate(CertificateArgs, tag_field="kind", tag="certificate-manager"):
    """A certificate of Certificate Manager, in a map; with DNS it is issued before it serves."""

    authorization: Annotated[
        Literal["dns", "load-balancer"],
        Meta(description="How the domains are validated; wildcards need `dns`."),
    ] = "dns"
    wait_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="Seconds an update waits until Google has issued a replacement.",
        ),
    ] = 1800


class OwnCertificate(CertificateArgs, tag_field="kind", tag="self-managed", kw_only=True):
    """A self-managed certificate; its key is `private_keys.<name>`."""

    certificate: Annotated[str, Meta(description="Certificate chain in PEM, leaf first.")]


Certificate = GoogleManagedCertificate | ManagerCertificate | OwnCertificate


class SslPolicyArgs(Settings):
    """TLS versions and ciphers."""

    min_tls: Annotated[
        Literal["TLS_1_2", "TLS_1_3"],
        Meta(description="Minimum TLS version; `TLS_1_3` needs the profile `RESTRICTED`."),
    ] = "TLS_1_2"
    profile: Annotated[
        Literal["COMPATIBLE", "MODERN", "RESTRICTED"],
        Meta(description="Profile of the ciphers."),
    ] = "MODERN"

    def __post_init__(self) -> None:
        if self.min_tls == "TLS_1_3" and self.profile != "RESTRICTED":
            raise ValueError(
                f"min_tls TLS_1_3 needs profile RESTRICTED, not {self.profile}; "
                "set profile: RESTRICTED, or min_tls: TLS_1_2"
            )


class HttpsArgs(Settings):
    """HTTPS settings; HTTPS is served if there are certificates."""

    redirect: Annotated[
        bool, Meta(description="Redirect HTTP to HTTPS (301); otherwise both are served.")
    ] = False
    ssl_policy: Annotated[SslPolicyArgs, Meta(description="TLS versions and ciphers.")] = (
        SslPolicyArgs()
    )


class DnsArgs(Settings):
    """The Cloud DNS zone of the domains' records."""

    domain: Annotated[str, Meta(description="Domain of the zone, without the trailing dot.")]
    zone: Annotated[
        str | None, Meta(description="Name of an existing managed zone. Default: a new zone.")
    ] = None
    project: Annotated[
        str | None, Meta(description="Project of that zone. Default: the environment's.")
    ] = None
    ttl_seconds: Annotated[
        int, Meta(ge=30, le=86400, description="TTL of the records, in seconds.")
    ] = 300
