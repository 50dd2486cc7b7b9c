"""Rules about the load balancer's front end: addresses, HTTPS, certificates."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from policies.rule import Stack, advisory, cis, google, mandatory
from policies.subjects import Resource, Selector, gcp
from policies.values import Props, entries, flag, text, texts

FORWARDING_RULES = gcp(
    "compute/globalForwardingRule:GlobalForwardingRule", "compute/forwardingRule:ForwardingRule"
)
HTTP_PROXIES = gcp(
    "compute/targetHttpProxy:TargetHttpProxy", "compute/regionTargetHttpProxy:RegionTargetHttpProxy"
)
HTTPS_PROXIES = gcp(
    "compute/targetHttpsProxy:TargetHttpsProxy",
    "compute/regionTargetHttpsProxy:RegionTargetHttpsProxy",
)
SSL_POLICIES = gcp("compute/sSLPolicy:SSLPolicy", "compute/regionSslPolicy:RegionSslPolicy")
CERTIFICATES = gcp(
    "compute/managedSslCertificate:ManagedSslCertificate",
    "compute/sSLCertificate:SSLCertificate",
    "certificatemanager/certificate:Certificate",
)
URL_MAPS = gcp("compute/uRLMap:URLMap", "compute/regionUrlMap:RegionUrlMap")
_HTTPS = google(
    "HTTP-to-HTTPS redirect", "load-balancing/docs/https/setting-up-global-http-https-redirect"
)
_POLICIES = google("SSL policies", "load-balancing/docs/ssl-policies-concepts")


def last(reference: str) -> str:
    """The name that a link, an id or a name ends with."""
    return reference.rpartition("/")[2]


def called(stack: Stack, selector: Selector, name: str) -> Props | None:
    """The properties of the declared resource that has a name."""
    found = (one.props for one in stack.of(selector) if one.props.get("name") == name)
    return next(found, None)


def _redirect(**more: object) -> Resource:
    return Resource(URL_MAPS.example, {"name": "redirect", **more})


def _front(port: str = "80") -> tuple[Resource, ...]:
    return (
        Resource(
            FORWARDING_RULES.example,
            {"target": "global/targetHttpProxies/plain", "portRange": port, "ipAddress": "a"},
        ),
        Resource(HTTP_PROXIES.example, {"name": "plain", "urlMap": "global/urlMaps/redirect"}),
    )


@advisory(
    HTTP_PROXIES,
    layer="networking",
    severity="high",
    why="Over HTTP everybody on the way reads the requests, the answers and the callers' tokens.",
    fix="set gke-networking:https, which redirects callers of port 80",
    references=(_HTTPS, cis("5.6.8")),
    passing=(*_front(), _redirect(defaultUrlRedirect={"httpsRedirect": True})),
    failing=(*_front(), _redirect(defaultService="global/backendServices/resnet")),
)
def http_only_redirects_to_https(proxy: Props, stack: Stack) -> Iterator[str]:
    """A target HTTP proxy does nothing but send callers to HTTPS."""
    name = last(text(proxy, "urlMap"))
    url_map = called(stack, URL_MAPS, name)
    if url_map is None:
        yield f"it serves URL map {name or '(none)'}, which is not declared beside it"
    elif not flag(url_map, "defaultUrlRedirect", "httpsRedirect"):
        yield f"it serves URL map {name}, which does not redirect to HTTPS"
    elif entries(url_map, "hostRules"):
        yield f"it serves URL map {name}, which has host rules beside its redirect"


@mandatory(
    HTTPS_PROXIES,
    layer="networking",
    severity="medium",
    why="Without a policy of its own a proxy takes TLS 1.0, whose ciphers are broken.",
    fix="leave gke-networking:https.ssl_policy on",
    references=(_POLICIES,),
    passing={"sslPolicy": "global/sslPolicies/modern"},
    failing={"name": "models"},
)
def https_proxies_have_an_ssl_policy(proxy: Props) -> Iterator[str]:
    """A target HTTPS proxy has an SSL policy."""
    if not text(proxy, "sslPolicy"):
        yield "sslPolicy is not set"


@mandatory(
    SSL_POLICIES,
    layer="networking",
    severity="high",
    why="TLS 1.0 and 1.1 are deprecated (RFC 8996), and no client of today needs them.",
    fix="set gke-networking:https.ssl_policy.min_tls to 1.2 or later",
    references=(_POLICIES,),
    passing={"minTlsVersion": "TLS_1_2", "profile": "MODERN"},
    failing={"profile": "COMPATIBLE"},
)
def ssl_policies_refuse_old_versions_of_tls(policy: Props) -> Iterator[str]:
    """An SSL policy takes TLS 1.2 or later, and no weak ciphers."""
    version = text(policy, "minTlsVersion")
    if version not in {"TLS_1_2", "TLS_1_3"}:
        yield f"minTlsVersion is {version or 'not set, so TLS 1.0'}"
    if text(policy, "profile") in {"", "COMPATIBLE"}:
        yield f"profile is {text(policy, 'profile') or 'not set'}, so it takes weak ciphers"


@mandatory(
    HTTPS_PROXIES,
    layer="networking",
    severity="high",
    why="A proxy without a certificate refuses every caller.",
    fix="name a certificate (gke-networking:certificates)",
    references=(google("Certificates", "load-balancing/docs/ssl-certificates"),),
    passing={"sslCertificates": ["global/sslCertificates/models"]},
    failing={"sslCertificates": []},
)
def https_proxies_have_a_certificate(proxy: Props) -> Iterator[str]:
    """A target HTTPS proxy has a certificate, or a map of them."""
    lists = ("sslCertificates", "certificateManagerCertificates")
    if not any(texts(proxy, key) for key in lists) and not text(proxy, "certificateMap"):
        yield "it has neither sslCertificates nor a certificateMap"


def _secured(host: str) -> tuple[Resource, ...]:
    return (
        Resource(HTTPS_PROXIES.example, {"urlMap": "global/urlMaps/models"}),
        Resource(
            URL_MAPS.example,
            {"name": "models", "hostRules": [{"hosts": [host], "pathMatcher": "models"}]},
        ),
        Resource(CERTIFICATES.example, {"managed": {"domains": ["models.example"]}}),
    )


@mandatory(
    HTTPS_PROXIES,
    layer="networking",
    severity="high",
    why="Callers of a host that no certificate names are warned off, or refused.",
    fix="add the host to a certificate's domains (gke-networking:certificates[].domains)",
    references=(
        google("Managed certificates", "load-balancing/docs/ssl-certificates/google-managed-certs"),
    ),
    passing=_secured("models.example"),
    failing=_secured("other.example"),
)
def certificates_cover_the_hosts(proxy: Props, stack: Stack) -> Iterator[str]:
    """Every host of a URL map that is served over HTTPS is on a certificate."""
    url_map = called(stack, URL_MAPS, last(text(proxy, "urlMap")))
    found = [texts(one.props, "managed", "domains") for one in stack.of(CERTIFICATES)]
    # What is on a certificate of one's own only the certificate tells.
    if url_map is None or not found or not all(found):
        return
    domains = [domain for one in found for domain in one]
    for rule in entries(url_map, "hostRules"):
        for host in texts(rule, "hosts"):
            bare = host.partition(":")[0]
            if bare != "*" and not any(covers(domain, bare) for domain in domains):
                yield f"no certificate covers {host}"


def covers(domain: str, host: str) -> bool:
    """Whether a certificate's domain is a host's; a wildcard stands for one label."""
    if domain.startswith("*."):
        return fnmatchcase(host, domain) and host.count(".") == domain.count(".")
    return domain.lower() == host.lower()


@mandatory(
    FORWARDING_RULES,
    layer="networking",
    severity="medium",
    why="An address that the forwarding rule brings goes with it: the next one is another, and DNS "
    "records lead nowhere.",
    fix="reserve the address (the networking layer does)",
    references=(google("Reserved addresses", "vpc/docs/reserve-static-external-ip-address"),),
    passing=_front()[0].props,
    failing={"target": "global/targetHttpProxies/plain", "portRange": "80"},
)
def front_ends_keep_their_address(rule: Props) -> Iterator[str]:
    """A forwarding rule has an address that was reserved for it."""
    # Unset is EXTERNAL.
    is_external = text(rule, "loadBalancingScheme") in {"", "EXTERNAL", "EXTERNAL_MANAGED"}
    if is_external and "ipAddress" not in rule:
        yield "ipAddress is not set"


@advisory(
    FORWARDING_RULES,
    layer="networking",
    severity="medium",
    why="Where nothing answers on 443, callers who want to be safe cannot be.",
    fix="set gke-networking:https",
    references=(_HTTPS,),
    passing=(
        *_front(),
        Resource(
            FORWARDING_RULES.example,
            {"target": "global/targetHttpsProxies/models", "portRange": "443"},
        ),
    ),
    failing=_front(),
)
def front_ends_speak_https(rule: Props, stack: Stack) -> Iterator[str]:
    """Beside a front end on port 80 there is one on 443."""
    if not _is_on(rule, "80"):
        return
    if not any(_is_on(one.props, "443") for one in stack.of(FORWARDING_RULES)):
        yield "no forwarding rule on port 443 is declared beside it"


def _is_on(rule: Props, port: str) -> bool:
    return text(rule, "portRange") in {port, f"{port}-{port}"}
