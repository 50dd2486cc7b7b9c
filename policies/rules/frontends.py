"""Rules about the load balancer's frontend: addresses, HTTPS, certificates."""

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


def resource_name(reference: str) -> str:
    """Return the name at the end of a self link or id."""
    return reference.rpartition("/")[2]


def find_by_name(stack: Stack, selector: Selector, name: str) -> Props | None:
    """Return the properties of the declared resource with a name, if any."""
    found = (one.props for one in stack.of(selector) if one.props.get("name") == name)
    return next(found, None)


def _redirect(**more: object) -> Resource:
    return Resource(URL_MAPS.example, {"name": "redirect", **more})


def _frontend(port: str = "80") -> tuple[Resource, ...]:
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
    why="Over HTTP anyone on the network path can read requests, responses and tokens.",
    fix="set gke-networking:https, which redirects callers of port 80",
    references=(_HTTPS, cis("5.6.8")),
    passing=(*_frontend(), _redirect(defaultUrlRedirect={"httpsRedirect": True})),
    failing=(*_frontend(), _redirect(defaultService="global/backendServices/resnet")),
)
def http_only_redirects_to_https(proxy: Props, stack: Stack) -> Iterator[str]:
    """A target HTTP proxy only redirects to HTTPS."""
    name = resource_name(text(proxy, "urlMap"))
    url_map = find_by_name(stack, URL_MAPS, name)
    if url_map is None:
        yield f"it serves URL map {name or '(none)'}, which the stack does not declare"
    elif not flag(url_map, "defaultUrlRedirect", "httpsRedirect"):
        yield f"it serves URL map {name}, which does not redirect to HTTPS"
    elif entries(url_map, "hostRules"):
        yield f"it serves URL map {name}, which has host rules in addition to its redirect"


@mandatory(
    HTTPS_PROXIES,
    layer="networking",
    severity="medium",
    why="Without an SSL policy a proxy accepts TLS 1.0 and weak ciphers.",
    fix="keep gke-networking:https.ssl_policy on",
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
    why="TLS 1.0 and 1.1 are deprecated (RFC 8996); current clients do not need them.",
    fix="set gke-networking:https.ssl_policy.min_tls to 1.2 or later",
    references=(_POLICIES,),
    passing={"minTlsVersion": "TLS_1_2", "profile": "MODERN"},
    failing={"profile": "COMPATIBLE"},
)
def ssl_policies_refuse_old_versions_of_tls(policy: Props) -> Iterator[str]:
    """An SSL policy requires TLS 1.2 or later and excludes weak ciphers."""
    version = text(policy, "minTlsVersion")
    if version not in {"TLS_1_2", "TLS_1_3"}:
        yield f"minTlsVersion is {version or 'not set (default: TLS 1.0)'}"
    if text(policy, "profile") in {"", "COMPATIBLE"}:
        yield f"profile is {text(policy, 'profile') or 'not set'}, which allows weak ciphers"


@mandatory(
    HTTPS_PROXIES,
    layer="networking",
    severity="high",
    why="A proxy without a certificate accepts no connections.",
    fix="add a certificate (gke-networking:certificates)",
    references=(google("Certificates", "load-balancing/docs/ssl-certificates"),),
    passing={"sslCertificates": ["global/sslCertificates/models"]},
    failing={"sslCertificates": []},
)
def https_proxies_have_a_certificate(proxy: Props) -> Iterator[str]:
    """A target HTTPS proxy has a certificate or a certificate map."""
    lists = ("sslCertificates", "certificateManagerCertificates")
    if not any(texts(proxy, key) for key in lists) and not text(proxy, "certificateMap"):
        yield "it has neither sslCertificates nor a certificateMap"


def _https_stack(host: str) -> tuple[Resource, ...]:
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
    why="Clients reject connections to a host that no certificate covers.",
    fix="add the host to a certificate's domains (gke-networking:certificates[].domains)",
    references=(
        google("Managed certificates", "load-balancing/docs/ssl-certificates/google-managed-certs"),
    ),
    passing=_https_stack("models.example"),
    failing=_https_stack("other.example"),
)
def certificates_cover_the_hosts(proxy: Props, stack: Stack) -> Iterator[str]:
    """Every host of a URL map served over HTTPS is covered by a certificate."""
    url_map = find_by_name(stack, URL_MAPS, resource_name(text(proxy, "urlMap")))
    found = [texts(one.props, "managed", "domains") for one in stack.of(CERTIFICATES)]
    # The domains of a self-managed certificate are not in its properties.
    if url_map is None or not found or not all(found):
        return
    domains = [domain for one in found for domain in one]
    for rule in entries(url_map, "hostRules"):
        for host in texts(rule, "hosts"):
            hostname = host.partition(":")[0]
            if hostname != "*" and not any(covers(domain, hostname) for domain in domains):
                yield f"no certificate covers {host}"


def covers(domain: str, host: str) -> bool:
    """Whether a certificate's domain covers a host. A wildcard matches one label."""
    if domain.startswith("*."):
        return fnmatchcase(host, domain) and host.count(".") == domain.count(".")
    return domain.lower() == host.lower()


@mandatory(
    FORWARDING_RULES,
    layer="networking",
    severity="medium",
    why="An ephemeral address is lost when the forwarding rule is replaced, and DNS records become "
    "stale.",
    fix="reserve the address (the networking layer does)",
    references=(google("Reserved addresses", "vpc/docs/reserve-static-external-ip-address"),),
    passing=_frontend()[0].props,
    failing={"target": "global/targetHttpProxies/plain", "portRange": "80"},
)
def front_ends_keep_their_address(rule: Props) -> Iterator[str]:
    """An external forwarding rule has a reserved address."""
    # Default: EXTERNAL.
    is_external = text(rule, "loadBalancingScheme") in {"", "EXTERNAL", "EXTERNAL_MANAGED"}
    if is_external and "ipAddress" not in rule:
        yield "ipAddress is not set"


@advisory(
    FORWARDING_RULES,
    layer="networking",
    severity="medium",
    why="Without a forwarding rule on port 443, clients cannot use HTTPS.",
    fix="set gke-networking:https",
    references=(_HTTPS,),
    passing=(
        *_frontend(),
        Resource(
            FORWARDING_RULES.example,
            {"target": "global/targetHttpsProxies/models", "portRange": "443"},
        ),
    ),
    failing=_frontend(),
)
def front_ends_speak_https(rule: Props, stack: Stack) -> Iterator[str]:
    """A stack with a forwarding rule on port 80 also has one on port 443."""
    if not _is_on(rule, "80"):
        return
    if not any(_is_on(one.props, "443") for one in stack.of(FORWARDING_RULES)):
        yield "the stack declares no forwarding rule on port 443"


def _is_on(rule: Props, port: str) -> bool:
    return text(rule, "portRange") in {port, f"{port}-{port}"}
