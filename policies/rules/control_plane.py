"""Rules about access to a cluster's API server: endpoints and authentication."""

from collections.abc import Iterator

from policies.rule import advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.values import Props, block, flag, text

_HARDEN = "kubernetes-engine/docs/how-to/hardening-your-cluster"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="Anyone can connect to a public endpoint; one leaked credential then gives access.",
    fix="set gke-cluster:cluster.private_endpoint and connect from inside the network",
    references=(
        cis("5.6.4"),
        google("Network isolation", "kubernetes-engine/docs/concepts/network-isolation"),
    ),
    passing={"privateClusterConfig": {"enablePrivateEndpoint": True}},
    failing={"privateClusterConfig": {"enablePrivateNodes": True}},
)
def control_plane_has_no_public_endpoint(cluster: Props) -> Iterator[str]:
    """The API server of a cluster has no public endpoint."""
    endpoints = block(cluster, "controlPlaneEndpointsConfig", "ipEndpointsConfig")
    if "enabled" in endpoints and not flag(endpoints, "enabled"):
        return  # only the DNS-based endpoint is on, which IAM protects
    if not flag(cluster, "privateClusterConfig", "enablePrivateEndpoint"):
        yield "privateClusterConfig.enablePrivateEndpoint is not true"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="critical",
    why="A password for the API server never expires, is shared, and hides the user from the "
    "audit log.",
    fix="remove master_auth.username and password; use IAM",
    references=(
        cis("5.8.1"),
        google("Authentication methods", _HARDEN + "#restrict_authn_methods"),
    ),
    passing={"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}}},
    failing={"masterAuth": {"username": "admin", "password": "example"}},
)
def cluster_takes_no_passwords(cluster: Props) -> Iterator[str]:
    """A cluster has basic authentication off."""
    auth = block(cluster, "masterAuth")
    if text(auth, "username") or text(auth, "password"):
        yield "masterAuth has a user name or a password"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="A client certificate cannot be revoked; only the whole CA can be replaced.",
    fix="set master_auth.client_certificate_config.issue_client_certificate to false",
    references=(
        cis("5.8.2"),
        google("Authentication methods", _HARDEN + "#restrict_authn_methods"),
    ),
    passing={"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}}},
    failing={"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": True}}},
)
def cluster_issues_no_client_certificates(cluster: Props) -> Iterator[str]:
    """A cluster issues no client certificate."""
    if flag(cluster, "masterAuth", "clientCertificateConfig", "issueClientCertificate"):
        yield "masterAuth.clientCertificateConfig.issueClientCertificate is true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Roles bound to individuals outlive their membership of a team; group membership is "
    "maintained in one place.",
    fix="set gke-cluster:cluster.security_group to gke-security-groups@DOMAIN",
    references=(
        cis("5.8.3"),
        google("Google Groups for RBAC", "kubernetes-engine/docs/how-to/google-groups-rbac"),
    ),
    passing={"authenticatorGroupsConfig": {"securityGroup": "gke-security-groups@acme.example"}},
    failing={"name": "main"},
)
def cluster_knows_google_groups(cluster: Props) -> Iterator[str]:
    """A cluster supports Google Groups for RBAC."""
    groups = block(cluster, "authenticatorGroupsConfig")
    # The API also has `enabled`; the provider's resource has the group only.
    has_group = bool(text(groups, "securityGroup"))
    if not flag(groups, "enabled", default=has_group):
        yield "authenticatorGroupsConfig.securityGroup is not set"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="The dashboard is deprecated and runs with its own permissions, which attackers have used.",
    fix="remove addons_config.kubernetes_dashboard; use the Google Cloud console",
    references=(cis("5.10.1"), google("Dashboards", "kubernetes-engine/docs/concepts/dashboards")),
    passing={"addonsConfig": {}},
    failing={"addonsConfig": {"kubernetesDashboard": {"disabled": False}}},
)
def cluster_has_no_kubernetes_dashboard(cluster: Props) -> Iterator[str]:
    """A cluster has the Kubernetes dashboard off."""
    dashboard = block(cluster, "addonsConfig").get("kubernetesDashboard")
    if isinstance(dashboard, dict) and not flag(dashboard, "disabled"):
        yield "addonsConfig.kubernetesDashboard is not disabled"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Anyone who reaches the API server can call what RBAC grants to system:anonymous.",
    fix="set anonymous_authentication_config.mode to LIMITED, which leaves the health checks",
    references=(
        cis("4.2.1"),
        google("Anonymous authentication", _HARDEN + "#restrict-anon-access"),
    ),
    passing={"anonymousAuthenticationConfig": {"mode": "LIMITED"}},
    failing={"anonymousAuthenticationConfig": {"mode": "ENABLED"}},
)
def cluster_limits_anonymous_requests(cluster: Props) -> Iterator[str]:
    """A cluster answers anonymous requests for its health only."""
    # A document or program without the block does not say; GKE's default depends on the version.
    if text(cluster, "anonymousAuthenticationConfig", "mode") == "ENABLED":
        yield "anonymousAuthenticationConfig.mode is ENABLED"
