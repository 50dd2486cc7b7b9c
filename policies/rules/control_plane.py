"""Rules about who reaches a cluster's API server, and how they prove who they are."""

from collections.abc import Iterator

from policies.rule import advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.values import Props, block, flag, text

_HARDEN = "kubernetes-engine/docs/how-to/hardening-your-cluster"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="A public endpoint can be tried by everybody; one leaked credential is then enough.",
    fix="set gke-cluster:cluster.private_endpoint and reach it from inside the network",
    references=(
        cis("5.6.4"),
        google("Network isolation", "kubernetes-engine/docs/concepts/network-isolation"),
    ),
    passing={"privateClusterConfig": {"enablePrivateEndpoint": True}},
    failing={"privateClusterConfig": {"enablePrivateNodes": True}},
)
def control_plane_has_no_public_endpoint(cluster: Props) -> Iterator[str]:
    """The API server of a cluster is reached from inside the network alone."""
    endpoints = block(cluster, "controlPlaneEndpointsConfig", "ipEndpointsConfig")
    if "enabled" in endpoints and not flag(endpoints, "enabled"):
        return  # reached by its DNS name, which IAM guards
    if not flag(cluster, "privateClusterConfig", "enablePrivateEndpoint"):
        yield "privateClusterConfig.enablePrivateEndpoint is not true"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="critical",
    why="A password for the API server never ends, is the same for everybody and leaves no name "
    "in the audit log.",
    fix="remove master_auth.username and password; IAM decides who may log in",
    references=(
        cis("5.8.1"),
        google("Authentication methods", _HARDEN + "#restrict_authn_methods"),
    ),
    passing={"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}}},
    failing={"masterAuth": {"username": "admin", "password": "example"}},
)
def cluster_takes_no_passwords(cluster: Props) -> Iterator[str]:
    """The API server of a cluster takes no user name and password."""
    auth = block(cluster, "masterAuth")
    if text(auth, "username") or text(auth, "password"):
        yield "masterAuth has a user name or a password"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="A client certificate cannot be taken back before it ends: only the whole authority can.",
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
    why="Roles that are bound to people one by one outlast their work; groups are kept up to date "
    "where people come and go.",
    fix="set gke-cluster:cluster.security_group to gke-security-groups@ your domain",
    references=(
        cis("5.8.3"),
        google("Google Groups for RBAC", "kubernetes-engine/docs/how-to/google-groups-rbac"),
    ),
    passing={"authenticatorGroupsConfig": {"securityGroup": "gke-security-groups@acme.example"}},
    failing={"name": "main"},
)
def cluster_knows_google_groups(cluster: Props) -> Iterator[str]:
    """Roles of a cluster can be bound to Google Groups."""
    groups = block(cluster, "authenticatorGroupsConfig")
    # The API says `enabled` beside the group; the provider's resource has the group alone.
    is_named = bool(text(groups, "securityGroup"))
    if not flag(groups, "enabled", default=is_named):
        yield "authenticatorGroupsConfig.securityGroup is not set"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="The dashboard is deprecated, runs with rights of its own and has been a way in.",
    fix="leave addons_config.kubernetes_dashboard out; the Google Cloud console shows the same",
    references=(cis("5.10.1"), google("Dashboards", "kubernetes-engine/docs/concepts/dashboards")),
    passing={"addonsConfig": {}},
    failing={"addonsConfig": {"kubernetesDashboard": {"disabled": False}}},
)
def cluster_has_no_kubernetes_dashboard(cluster: Props) -> Iterator[str]:
    """The Kubernetes dashboard is off."""
    dashboard = block(cluster, "addonsConfig").get("kubernetesDashboard")
    if isinstance(dashboard, dict) and not flag(dashboard, "disabled"):
        yield "addonsConfig.kubernetesDashboard is not disabled"
