"""Which Google Cloud resources are deleted before they are replaced, and why.

Two resources of one name cannot exist side by side, so a resource with a fixed name is deleted
first. The provider asks for that too, but only beside a change that replaces. Where the deletion
succeeds and the creation fails, the next run may find no such change any more; it would then create
the resource and afterwards delete "the old one", which has the same name. The option on the
resource says it in every run.

Kubernetes objects are not listed: their provider decides by itself.
"""

import pulumi
import pulumi.runtime

DELETED_FIRST = (
    "gcp:compute/firewall:Firewall",
    "gcp:compute/globalForwardingRule:GlobalForwardingRule",
    "gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort",
    "gcp:compute/router:Router",
    "gcp:compute/routerNat:RouterNat",
    "gcp:compute/subnetwork:Subnetwork",
    "gcp:container/cluster:Cluster",
    "gcp:container/nodePool:NodePool",
    "gcp:dns/managedZone:ManagedZone",
    "gcp:dns/recordSet:RecordSet",
    "gcp:gkebackup/backupPlan:BackupPlan",
    "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
    "gcp:projects/iAMMember:IAMMember",
    "gcp:serviceaccount/iAMMember:IAMMember",
    "gcp:storage/bucket:Bucket",
    "gcp:storage/bucketIAMMember:BucketIAMMember",
)
"""A setting can replace them under the same name. Whatever refers to them is replaced with them,
or does not keep Google from deleting them."""

CREATED_FIRST = (
    "gcp:kms/cryptoKey:CryptoKey",
    "gcp:kms/keyRing:KeyRing",
)
"""Never deleted first: Cloud KMS does not free a name, and deleting a key destroys its versions.
A replacement under the same name fails, and the old key stays."""

REPLACED_BY_NAME = (
    "gcp:compute/address:Address",
    "gcp:compute/backendBucket:BackendBucket",
    "gcp:compute/backendService:BackendService",
    "gcp:compute/globalAddress:GlobalAddress",
    "gcp:compute/healthCheck:HealthCheck",
    "gcp:compute/network:Network",
    "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
    "gcp:compute/sSLPolicy:SSLPolicy",
    "gcp:compute/securityPolicy:SecurityPolicy",
    "gcp:compute/targetHttpProxy:TargetHttpProxy",
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy",
    "gcp:compute/uRLMap:URLMap",
    "gcp:certificatemanager/certificateMap:CertificateMap",
    "gcp:logging/projectExclusion:ProjectExclusion",
    "gcp:logging/projectSink:ProjectSink",
    "gcp:monitoring/customService:CustomService",
    "gcp:pubsub/topic:Topic",
    "gcp:serviceaccount/account:Account",
)
"""Exempt: their other immutable fields are constants of the programs, so that a replacement always
has another name. Most are in use by another resource (a backend service by a URL map), and Google
refuses to delete what is in use: the new one must come first."""

NAMED_BY_CONTENT = (
    "gcp:certificatemanager/certificate:Certificate",
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization",
    "gcp:compute/managedSslCertificate:ManagedSslCertificate",
    "gcp:compute/sSLCertificate:SSLCertificate",
    "gcp:logging/projectBucketConfig:ProjectBucketConfig",
    "gcp:monitoring/slo:Slo",
)
"""Exempt: what cannot change in place is part of the name, so that another content is another name.
A certificate must serve until its successor does."""

HARMLESS = ("gcp:projects/service:Service",)
"""Exempt: the programs never disable an API, so that a deletion changes nothing."""


def delete_before_replace(type_: str) -> bool | None:
    """The resource option of a type; None leaves the order to the provider."""
    if type_ in CREATED_FIRST:
        return False
    return True if type_ in DELETED_FIRST else None


def order_replacements() -> None:
    """Sets the option on every resource that the program declares from now on."""

    def ordered(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        order = delete_before_replace(args.type_)
        if order is None:
            return None
        option = pulumi.ResourceOptions(delete_before_replace=order)
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, option)
        )

    pulumi.runtime.register_stack_transformation(ordered)
