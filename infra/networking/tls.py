"""What a stack file says about HTTPS: domains, certificates, the SSL policy, DNS.

What may not stand beside what is decided in `coverage`; what is made of it in `certificates`,
`frontend` and `dns_records`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings

Name = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
"""Short, because physical names are made of it."""


class DomainArgs(Settings):
    """One domain that the load balancer answers on."""

    name: Annotated[
        str, Meta(description="The domain, such as `models.acme.example`; `*.` for all below.")
    ]
    certificate: Annotated[
        str | None,
        Meta(description="Certificate that must cover it; none: whichever does."),
    ] = None
    record: Annotated[
        bool, Meta(description="Whether `dns` gets an A record for it; no: others keep it.")
    ] = True


class CertificateArgs(Settings):
    """What all certificates have in common."""

    name: Annotated[Name, Meta(description="Name of the certificate in this file.")]
    domains: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Domains it covers, at most 100; a change makes it anew."),
    ]
    replaces: Annotated[
        str | None,
        Meta(description="Certificate whose domains it takes over; both serve until that goes."),
    ] = None


class GoogleManagedCertificate(CertificateArgs, tag_field="kind", tag="google-managed"):
    """A classic one, issued by Google once its domains lead to the load balancer."""


class ManagerCertificate(CertificateArgs, tag_field="kind", tag="certificate-manager"):
    """One of Certificate Manager's, in a map; with DNS it is issued before it serves."""

    authorization: Annotated[
        Literal["dns", "load-balancer"],
        Meta(description="What proves the domains to Google; wildcards need `dns`."),
    ] = "dns"
    wait_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="How long a change waits for the new one to be issued, before it serves.",
        ),
    ] = 1800


class OwnCertificate(CertificateArgs, tag_field="kind", tag="self-managed", kw_only=True):
    """One of one's own; its key is `private_keys.<name>`."""

    certificate: Annotated[
        str, Meta(description="The certificate and its chain, PEM, the leaf first.")
    ]


Certificate = GoogleManagedCertificate | ManagerCertificate | OwnCertificate


class SslPolicyArgs(Settings):
    """Which clients may connect."""

    min_tls: Annotated[
        Literal["TLS_1_2", "TLS_1_3"],
        Meta(description="The lowest version; `TLS_1_3` needs the profile `RESTRICTED`."),
    ] = "TLS_1_2"
    profile: Annotated[
        Literal["COMPATIBLE", "MODERN", "RESTRICTED"],
        Meta(description="Which ciphers are offered."),
    ] = "MODERN"

    def __post_init__(self) -> None:
        if self.min_tls == "TLS_1_3" and self.profile != "RESTRICTED":
            raise ValueError(
                f"min_tls TLS_1_3 does not go with profile {self.profile}; "
                "set profile: RESTRICTED, or min_tls: TLS_1_2"
            )


class HttpsArgs(Settings):
    """How HTTPS is served; it is served when there are certificates."""

    redirect: Annotated[bool, Meta(description="Send HTTP to HTTPS (301); no: both answer.")] = (
        False
    )
    ssl_policy: Annotated[SslPolicyArgs, Meta(description="Which clients may connect.")] = (
        SslPolicyArgs()
    )


class DnsArgs(Settings):
    """The zone of Cloud DNS that holds the domains' records."""

    domain: Annotated[str, Meta(description="The zone's domain, without the last dot.")]
    zone: Annotated[
        str | None, Meta(description="Name of a managed zone that is there; none: one is made.")
    ] = None
    project: Annotated[
        str | None, Meta(description="Project of that zone; none: the environment's.")
    ] = None
    ttl_seconds: Annotated[
        int, Meta(ge=30, le=86400, description="How long resolvers keep it.")
    ] = 300
