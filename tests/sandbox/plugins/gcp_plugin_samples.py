"""A resource of every type of the gcp plugin, and which of its changes replace it officially."""

from __future__ import annotations

from typing import Any

from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, REGION, ZONE

GLOBAL = f"projects/{PROJECT}/global"
V1 = "https://www.googleapis.com/compute/v1/"
LOCATION = f"projects/{PROJECT}/locations/{REGION}"

MANAGER = f"projects/{PROJECT}/locations/global"

# type -> inputs
LATENCIES = (
    'metric.type = "loadbalancing.googleapis.com/https/backend_latencies" AND '
    'resource.type = "https_lb_rule"'
)

_WITHOUT_BODIES: dict[str, Any] = {
    "priority": 3000,
    "action": "deny(403)",
    "match": {"expr": {"expression": "evaluatePreconfiguredWaf('sqli-v33-stable')"}},
    "preconfiguredWafConfig": {
        "exclusions": [
            {
                "targetRuleSet": "sqli-v33-stable",
                "requestBodies": [{"operator": "EQUALS_ANY"}],
            }
        ]
    },
}
SAMPLES: dict[str, dict[str, Any]] = {
    "gcp:compute/network:Network": {
        "name": "vpc",
        "autoCreateSubnetworks": False,
        "routingMode": "REGIONAL",
    },
    "gcp:compute/subnetwork:Subnetwork": {
        "name": "nodes",
        "network": f"{GLOBAL}/networks/vpc",
        "region": REGION,
        "ipCidrRange": "10.0.0.0/20",
        "privateIpGoogleAccess": True,
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
        ],
    },
    "gcp:compute/router:Router": {
        "name": "router",
        "network": f"{GLOBAL}/networks/vpc",
        "region": REGION,
    },
    "gcp:compute/routerNat:RouterNat": {
        "name": "nat",
        "router": "router",
        "region": REGION,
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        "logConfig": {"enable": True, "filter": "ERRORS_ONLY"},
    },
    "gcp:compute/firewall:Firewall": {
        "name": "health-checks",
        "network": f"{GLOBAL}/networks/vpc",
        "sourceRanges": ["130.211.0.0/22", "35.191.0.0/16"],
        "allows": [{"protocol": "tcp", "ports": ["8501"]}],
    },
    "gcp:compute/globalAddress:GlobalAddress": {"name": "frontend", "labels": {"team": "ml"}},
    "gcp:compute/address:Address": {
        "name": "inference",
        "region": "europe-west4",
        "addressType": "EXTERNAL",
        "labels": {"team": "ml"},
    },
    "gcp:compute/healthCheck:HealthCheck": {
        "name": "models",
        "httpHealthCheck": {"port": 8501, "requestPath": "/v1/models/resnet"},
    },
    "gcp:compute/backendService:BackendService": {
        "name": "models",
        "healthChecks": f"{GLOBAL}/healthChecks/models",
        "protocol": "HTTP",
        "timeoutSec": 30,
        "logConfig": {"enable": True, "sampleRate": 1.0},
    },
    "gcp:compute/securityPolicy:SecurityPolicy": {
        "name": "armor",
        "type": "CLOUD_ARMOR",
        "rules": [
            _WITHOUT_BODIES,
            {
                "priority": 4000,
                "action": "throttle",
                "match": {
                    "versionedExpr": "SRC_IPS_V1",
                    "config": {"srcIpRanges": ["*"]},
                },
                "rateLimitOptions": {
                    "conformAction": "allow",
                    "exceedAction": "deny(429)",
                    "enforceOnKey": "IP",
                    "rateLimitThreshold": {"count": 600, "intervalSec": 60},
                },
            },
            {
                "priority": 2147483647,
                "action": "allow",
                "match": {
                    "versionedExpr": "SRC_IPS_V1",
                    "config": {"srcIpRanges": ["*"]},
                },
            },
        ],
    },
    "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy": {
        "name": "llm",
        "region": "europe-west4",
        "type": "CLOUD_ARMOR",
        "rules": [
            _WITHOUT_BODIES,
            {
                "priority": 2147483647,
                "action": "allow",
                "match": {
                    "versionedExpr": "SRC_IPS_V1",
                    "config": {"srcIpRanges": ["*"]},
                },
            },
        ],
    },
    "gcp:compute/backendBucket:BackendBucket": {
        "name": "static",
        "bucketName": "acme-static",
        "enableCdn": True,
    },
    "gcp:compute/uRLMap:URLMap": {
        "name": "routes",
        "defaultService": f"{GLOBAL}/backendBuckets/static",
        "hostRules": [{"hosts": ["models.acme.example"], "pathMatcher": "models"}],
        "pathMatchers": [
            {
                "name": "models",
                "defaultService": f"{GLOBAL}/backendBuckets/static",
                "pathRules": [
                    {
                        "paths": ["/v1/models/resnet", "/v1/models/resnet/*"],
                        "service": f"{GLOBAL}/backendServices/models",
                    }
                ],
            }
        ],
    },
    "gcp:compute/targetHttpProxy:TargetHttpProxy": {
        "name": "http",
        "urlMap": f"{GLOBAL}/urlMaps/routes",
    },
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": {
        "name": "http",
        "target": f"{GLOBAL}/targetHttpProxies/http",
        "portRange": "80",
        "ipAddress": f"{GLOBAL}/addresses/frontend",
        "labels": {"team": "ml"},
    },
    "gcp:compute/managedSslCertificate:ManagedSslCertificate": {
        "name": "cert",
        "managed": {"domains": ["models.acme.example"]},
    },
    "gcp:compute/sSLPolicy:SSLPolicy": {
        "name": "tls",
        "profile": "MODERN",
        "minTlsVersion": "TLS_1_2",
    },
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": {
        "name": "models",
        "domain": "models.acme.example",
        "labels": {"team": "ml"},
    },
    "gcp:certificatemanager/certificate:Certificate": {
        "name": "models",
        "managed": {
            "domains": ["models.acme.example", "*.models.acme.example"],
            "dnsAuthorizations": [f"{MANAGER}/dnsAuthorizations/models"],
        },
        "labels": {"team": "ml"},
    },
    "gcp:certificatemanager/certificateMap:CertificateMap": {
        "name": "models",
        "labels": {"team": "ml"},
    },
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": {
        "name": "models",
        "map": "models",
        "hostname": "models.acme.example",
        "certificates": [f"{MANAGER}/certificates/models"],
    },
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy": {
        "name": "https",
        "urlMap": f"{GLOBAL}/urlMaps/routes",
        "sslCertificates": [f"{GLOBAL}/sslCertificates/cert"],
        "sslPolicy": f"{GLOBAL}/sslPolicies/tls",
    },
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": {
        "project": PROJECT,
        "location": REGION,
        "bucketId": "callers",
        "retentionDays": 400,
        "description": "who asked what",
    },
    "gcp:logging/projectSink:ProjectSink": {
        "name": "callers",
        "destination": f"logging.googleapis.com/{LOCATION}/buckets/callers",
        "filter": 'jsonPayload.audit="callers"',
    },
    "gcp:logging/projectExclusion:ProjectExclusion": {
        "name": "callers",
        "filter": 'jsonPayload.audit="callers"',
    },
    "gcp:pubsub/topic:Topic": {
        "name": "cluster-events",
        "labels": {"team": "ml"},
        "messageRetentionDuration": "604800s",
    },
    "gcp:kms/keyRing:KeyRing": {"name": "platform", "location": REGION},
    "gcp:kms/cryptoKey:CryptoKey": {
        "name": "secrets",
        "keyRing": f"{LOCATION}/keyRings/platform",
        "rotationPeriod": "7776000s",
        "destroyScheduledDuration": "2592000s",
        "labels": {"team": "ml"},
    },
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": {
        "cryptoKeyId": f"{LOCATION}/keyRings/platform/cryptoKeys/secrets",
        "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "member": "serviceAccount:service-7@container-engine-robot.iam.gserviceaccount.com",
    },
    "gcp:dns/managedZone:ManagedZone": {
        "name": "acme",
        "dnsName": "acme.example.",
        "description": "models",
        "dnssecConfig": {"state": "on"},
        "labels": {"team": "ml"},
    },
    "gcp:dns/recordSet:RecordSet": {
        "managedZone": "acme",
        "name": "models.acme.example.",
        "type": "A",
        "ttl": 300,
        "rrdatas": ["192.0.2.7"],
    },
    "gcp:compute/networkEndpointGroup:NetworkEndpointGroup": {
        "name": "neg",
        "zone": ZONE,
        "network": f"{GLOBAL}/networks/vpc",
        "subnetwork": f"projects/{PROJECT}/regions/{REGION}/subnetworks/nodes",
        "defaultPort": 8501,
    },
    "gcp:container/cluster:Cluster": {
        "name": "acme-dev",
        "location": REGION,
        "nodeLocations": [ZONE, "europe-west4-b"],
        "network": f"{GLOBAL}/networks/vpc",
        "subnetwork": f"projects/{PROJECT}/regions/{REGION}/subnetworks/nodes",
        "initialNodeCount": 1,
        "removeDefaultNodePool": True,
        "deletionProtection": False,
        "ipAllocationPolicy": {
            "clusterSecondaryRangeName": "pods",
            "servicesSecondaryRangeName": "services",
        },
        "privateClusterConfig": {"enablePrivateNodes": True},
        "releaseChannel": {"channel": "REGULAR"},
        "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
        "resourceLabels": {"team": "ml"},
        "addonsConfig": {
            "httpLoadBalancing": {"disabled": False},
            "gkeBackupAgentConfig": {"enabled": True},
        },
    },
    "gcp:gkebackup/backupPlan:BackupPlan": {
        "name": "nightly",
        "location": REGION,
        "cluster": f"{LOCATION}/clusters/acme-dev",
        "backupSchedule": {"cronSchedule": "0 3 * * *"},
        "retentionPolicy": {"backupRetainDays": 14, "backupDeleteLockDays": 0},
        "backupConfig": {
            "allNamespaces": True,
            "includeSecrets": True,
            "includeVolumeData": True,
        },
        "labels": {"team": "ml"},
    },
    "gcp:container/nodePool:NodePool": {
        "name": "general",
        "cluster": f"{LOCATION}/clusters/acme-dev",
        "location": REGION,
        "nodeLocations": [ZONE, "europe-west4-b"],
        "autoscaling": {"minNodeCount": 1, "maxNodeCount": 3},
        "management": {"autoRepair": True, "autoUpgrade": True},
        "nodeConfig": {
            "machineType": "n2-standard-4",
            "labels": {"pool": "general"},
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "taints": [{"key": "dedicated", "value": "ml", "effect": "NO_SCHEDULE"}],
            "tags": ["gke-node"],
            "shieldedInstanceConfig": {"enableSecureBoot": True},
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
            "metadata": {"disable-legacy-endpoints": "true"},
        },
        "upgradeSettings": {"maxSurge": 1, "maxUnavailable": 0},
    },
    "gcp:serviceaccount/account:Account": {"accountId": "nodes-general", "displayName": "Nodes"},
    "gcp:projects/iAMMember:IAMMember": {
        "project": PROJECT,
        "role": "roles/logging.logWriter",
        "member": f"serviceAccount:nodes-general@{PROJECT}.iam.gserviceaccount.com",
    },
    "gcp:serviceaccount/iAMMember:IAMMember": {
        "serviceAccountId": (
            f"projects/{PROJECT}/serviceAccounts/nodes-general@{PROJECT}.iam.gserviceaccount.com"
        ),
        "role": "roles/iam.workloadIdentityUser",
        "member": f"serviceAccount:{PROJECT}.svc.id.goog[models/server]",
    },
    "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember": {
        "webBackendService": "models",
        "role": "roles/iap.httpsResourceAccessor",
        "member": "group:vision@acme.example",
    },
    "gcp:iap/webTypeComputeIamMember:WebTypeComputeIamMember": {
        "project": PROJECT,
        "role": "roles/iap.httpsResourceAccessor",
        "member": "group:vision@acme.example",
        "condition": {
            "title": "models-words",
            "expression": 'request.host == "a.example" && request.path == "/words"',
        },
    },
    "gcp:projects/service:Service": {"service": "container.googleapis.com"},
    "gcp:storage/bucket:Bucket": {
        "name": "acme-ml-dev-models",
        "location": "EUROPE-WEST4",
        "uniformBucketLevelAccess": True,
        "publicAccessPrevention": "enforced",
        "versioning": {"enabled": True},
        "labels": {"team": "ml"},
        "lifecycleRules": [
            {"action": {"type": "Delete"}, "condition": {"numNewerVersions": 3}},
        ],
    },
    "gcp:storage/bucketIAMMember:BucketIAMMember": {
        "bucket": "acme-ml-dev-models",
        "role": "roles/storage.objectViewer",
        "member": f"serviceAccount:nodes-general@{PROJECT}.iam.gserviceaccount.com",
    },
    "gcp:secretmanager/secretIamMember:SecretIamMember": {
        "secretId": "hf-token",
        "role": "roles/secretmanager.secretAccessor",
        "member": f"serviceAccount:nodes-general@{PROJECT}.iam.gserviceaccount.com",
    },
    "gcp:storage/bucketObject:BucketObject": {
        "bucket": "acme-ml-dev-models",
        "name": "index.html",
        "content": "<h1>models</h1>",
        "contentType": "text/html",
    },
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": {
        "displayName": "frontend",
        "timeout": "10s",
        "httpCheck": {"path": "/", "port": 80},
        "monitoredResource": {
            "type": "uptime_url",
            "labels": {"host": "127.0.0.1", "project_id": PROJECT},
        },
    },
    "gcp:monitoring/notificationChannel:NotificationChannel": {
        "displayName": "pager",
        "type": "webhook_basicauth",
        "labels": {"url": "https://pager.acme.example/hook", "username": "models"},
        "sensitiveLabels": {"password": "correct horse"},
    },
    "gcp:monitoring/customService:CustomService": {
        "serviceId": "acme-ml-dev-resnet",
        "displayName": "resnet",
        "userLabels": {"model": "resnet"},
    },
    "gcp:monitoring/slo:Slo": {
        "service": "acme-ml-dev-resnet",
        "sloId": "latency",
        "displayName": "quick enough",
        "goal": 0.95,
        "rollingPeriodDays": 28,
        "requestBasedSli": {
            "distributionCut": {"distributionFilter": LATENCIES, "range": {"max": 500}}
        },
    },
    "gcp:monitoring/alertPolicy:AlertPolicy": {
        "displayName": "slow",
        "combiner": "OR",
        "conditions": [
            {
                "displayName": "slow for five minutes",
                "conditionThreshold": {
                    "filter": LATENCIES,
                    "aggregations": [
                        {"alignmentPeriod": "300s", "perSeriesAligner": "ALIGN_PERCENTILE_99"}
                    ],
                    "comparison": "COMPARISON_GT",
                    "thresholdValue": 500,
                    "duration": "300s",
                },
            }
        ],
    },
    "gcp:monitoring/dashboard:Dashboard": {
        "dashboardJson": '{"displayName": "models", "gridLayout": {"columns": "2"}}',
    },
    "gcp:billing/budget:Budget": {
        "billingAccount": "01ACE0-01ACE0-01ACE0",
        "displayName": "monthly",
        "amount": {"specifiedAmount": {"units": "1000", "currencyCode": "EUR"}},
        "budgetFilter": {"calendarPeriod": "MONTH"},
        "thresholdRules": [{"thresholdPercent": 0.5}],
    },
}

# (type, path of the change, value, whether it replaces)
_THROTTLED = [
    {
        "priority": 4000,
        "action": "throttle",
        "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}},
        "rateLimitOptions": {
            "conformAction": "allow",
            "exceedAction": "deny(429)",
            "enforceOnKey": "IP",
            "rateLimitThreshold": {"count": 600, "intervalSec": 60},
        },
    },
    {
        "priority": 2147483647,
        "action": "allow",
        "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}},
    },
]
INSPECTED: list[dict[str, Any]] = [
    {key: value for key, value in _WITHOUT_BODIES.items() if key != "preconfiguredWafConfig"},
    _THROTTLED[-1],
]
"""Rules of WAF that inspect what those of the samples do not."""
CHANGES: list[tuple[str, str, Any, bool]] = [
    ("gcp:compute/network:Network", "name", "other", True),
    ("gcp:compute/regionSecurityPolicy:RegionSecurityPolicy", "description", "why", False),
    ("gcp:compute/regionSecurityPolicy:RegionSecurityPolicy", "rules", _THROTTLED, False),
    ("gcp:compute/regionSecurityPolicy:RegionSecurityPolicy", "region", "europe-west1", True),
    ("gcp:compute/network:Network", "autoCreateSubnetworks", True, True),
    ("gcp:compute/network:Network", "description", "why", True),
    ("gcp:compute/network:Network", "routingMode", "GLOBAL", False),
    ("gcp:compute/network:Network", "mtu", 1500, False),
    ("gcp:compute/network:Network", "deleteDefaultRoutesOnCreate", True, False),
    ("gcp:compute/subnetwork:Subnetwork", "name", "other", True),
    ("gcp:compute/subnetwork:Subnetwork", "region", "europe-west1", True),
    ("gcp:compute/subnetwork:Subnetwork", "network", f"{GLOBAL}/networks/other", True),
    ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/21", True),
    ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/19", False),
    ("gcp:compute/subnetwork:Subnetwork", "privateIpGoogleAccess", False, False),
    ("gcp:compute/subnetwork:Subnetwork", "logConfig", {"metadata": "CUSTOM_METADATA"}, False),
    ("gcp:compute/router:Router", "network", f"{GLOBAL}/networks/other", True),
    ("gcp:compute/router:Router", "description", "why", False),
    ("gcp:compute/routerNat:RouterNat", "router", "other", True),
    ("gcp:compute/routerNat:RouterNat", "minPortsPerVm", 128, False),
    ("gcp:compute/routerNat:RouterNat", "logConfig.filter", "ALL", False),
    ("gcp:compute/firewall:Firewall", "network", f"{GLOBAL}/networks/other", True),
    ("gcp:compute/firewall:Firewall", "direction", "EGRESS", True),
    ("gcp:compute/firewall:Firewall", "sourceRanges", ["35.191.0.0/16"], False),
    ("gcp:compute/firewall:Firewall", "allows", [{"protocol": "udp"}], False),
    ("gcp:compute/globalAddress:GlobalAddress", "name", "other", True),
    ("gcp:compute/globalAddress:GlobalAddress", "ipVersion", "IPV6", True),
    ("gcp:compute/globalAddress:GlobalAddress", "labels", {"team": "other"}, False),
    ("gcp:compute/address:Address", "name", "other", True),
    ("gcp:compute/address:Address", "addressType", "INTERNAL", True),
    ("gcp:compute/address:Address", "labels", {"team": "other"}, False),
    ("gcp:compute/healthCheck:HealthCheck", "name", "other", True),
    ("gcp:compute/healthCheck:HealthCheck", "httpHealthCheck.port", 80, False),
    ("gcp:compute/healthCheck:HealthCheck", "checkIntervalSec", 9, False),
    ("gcp:compute/backendService:BackendService", "name", "other", True),
    ("gcp:compute/backendService:BackendService", "timeoutSec", 60, False),
    ("gcp:compute/backendService:BackendService", "backends", [{"group": "g"}], False),
    ("gcp:compute/backendBucket:BackendBucket", "name", "other", True),
    ("gcp:compute/backendBucket:BackendBucket", "bucketName", "other", False),
    ("gcp:compute/uRLMap:URLMap", "name", "other", True),
    ("gcp:compute/uRLMap:URLMap", "defaultService", f"{GLOBAL}/backendServices/x", False),
    ("gcp:compute/uRLMap:URLMap", "pathMatchers", [], False),
    ("gcp:compute/targetHttpProxy:TargetHttpProxy", "urlMap", f"{GLOBAL}/urlMaps/x", False),
    ("gcp:compute/targetHttpProxy:TargetHttpProxy", "description", "why", True),
    ("gcp:compute/globalForwardingRule:GlobalForwardingRule", "portRange", "8080", True),
    (
        "gcp:compute/globalForwardingRule:GlobalForwardingRule",
        "target",
        f"{GLOBAL}/targetHttpProxies/x",
        False,
    ),
    ("gcp:compute/globalForwardingRule:GlobalForwardingRule", "ipAddress", "127.0.0.9", True),
    ("gcp:compute/globalForwardingRule:GlobalForwardingRule", "labels", {}, False),
    (
        "gcp:compute/managedSslCertificate:ManagedSslCertificate",
        "managed.domains",
        ["other.example"],
        True,
    ),
    ("gcp:compute/sSLPolicy:SSLPolicy", "profile", "RESTRICTED", False),
    ("gcp:compute/sSLPolicy:SSLPolicy", "name", "other", True),
    ("gcp:compute/targetHttpsProxy:TargetHttpsProxy", "quicOverride", "ENABLE", False),
    (
        "gcp:compute/targetHttpsProxy:TargetHttpsProxy",
        "sslCertificates",
        [f"{GLOBAL}/sslCertificates/other"],
        False,
    ),
    (
        "gcp:certificatemanager/dnsAuthorization:DnsAuthorization",
        "domain",
        "other.acme.example",
        True,
    ),
    ("gcp:certificatemanager/dnsAuthorization:DnsAuthorization", "labels", {"x": "y"}, False),
    (
        "gcp:certificatemanager/certificate:Certificate",
        "managed.domains",
        ["models.acme.example"],
        True,
    ),
    ("gcp:certificatemanager/certificate:Certificate", "description", "why", False),
    ("gcp:certificatemanager/certificateMap:CertificateMap", "labels", {"team": "x"}, False),
    ("gcp:certificatemanager/certificateMap:CertificateMap", "name", "other", True),
    (
        "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
        "hostname",
        "*.models.acme.example",
        True,
    ),
    (
        "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
        "certificates",
        [f"{MANAGER}/certificates/other"],
        False,
    ),
    ("gcp:logging/projectBucketConfig:ProjectBucketConfig", "retentionDays", 30, False),
    ("gcp:logging/projectBucketConfig:ProjectBucketConfig", "description", "x", False),
    ("gcp:logging/projectBucketConfig:ProjectBucketConfig", "location", "europe-west1", True),
    ("gcp:logging/projectBucketConfig:ProjectBucketConfig", "bucketId", "other", True),
    ("gcp:logging/projectSink:ProjectSink", "filter", "severity>=ERROR", False),
    ("gcp:logging/projectSink:ProjectSink", "disabled", True, False),
    ("gcp:logging/projectSink:ProjectSink", "name", "other", True),
    ("gcp:logging/projectExclusion:ProjectExclusion", "filter", "severity>=ERROR", False),
    ("gcp:logging/projectExclusion:ProjectExclusion", "name", "other", True),
    ("gcp:pubsub/topic:Topic", "labels", {"team": "x"}, False),
    ("gcp:pubsub/topic:Topic", "messageRetentionDuration", "86400s", False),
    ("gcp:pubsub/topic:Topic", "name", "other", True),
    (
        "gcp:gkebackup/backupPlan:BackupPlan",
        "backupSchedule.cronSchedule",
        "30 4 * * 1-5",
        False,
    ),
    (
        "gcp:gkebackup/backupPlan:BackupPlan",
        "retentionPolicy",
        {"backupRetainDays": 30, "backupDeleteLockDays": 7},
        False,
    ),
    ("gcp:gkebackup/backupPlan:BackupPlan", "backupConfig.includeSecrets", False, False),
    ("gcp:gkebackup/backupPlan:BackupPlan", "labels", {"team": "x"}, False),
    (
        "gcp:gkebackup/backupPlan:BackupPlan",
        "cluster",
        f"{LOCATION}/clusters/other",
        True,
    ),
    ("gcp:kms/keyRing:KeyRing", "location", "europe-west1", True),
    ("gcp:kms/cryptoKey:CryptoKey", "rotationPeriod", "2592000s", False),
    ("gcp:kms/cryptoKey:CryptoKey", "labels", {"team": "x"}, False),
    ("gcp:kms/cryptoKey:CryptoKey", "destroyScheduledDuration", "86400s", True),
    (
        "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
        "role",
        "roles/cloudkms.cryptoKeyDecrypter",
        True,
    ),
    ("gcp:dns/managedZone:ManagedZone", "dnsName", "other.example.", True),
    ("gcp:dns/managedZone:ManagedZone", "description", "why", False),
    ("gcp:dns/managedZone:ManagedZone", "forceDestroy", True, False),
    ("gcp:dns/recordSet:RecordSet", "type", "CNAME", True),
    ("gcp:dns/recordSet:RecordSet", "rrdatas", ["192.0.2.8", "192.0.2.9"], False),
    ("gcp:dns/recordSet:RecordSet", "ttl", 60, False),
    ("gcp:compute/networkEndpointGroup:NetworkEndpointGroup", "defaultPort", 80, True),
    ("gcp:container/cluster:Cluster", "name", "other", True),
    ("gcp:container/cluster:Cluster", "location", "europe-west1", True),
    ("gcp:container/cluster:Cluster", "network", f"{GLOBAL}/networks/other", True),
    ("gcp:container/cluster:Cluster", "initialNodeCount", 2, True),
    ("gcp:container/cluster:Cluster", "enableKubernetesAlpha", True, True),
    ("gcp:container/cluster:Cluster", "datapathProvider", "ADVANCED_DATAPATH", True),
    (
        "gcp:container/cluster:Cluster",
        "ipAllocationPolicy.clusterSecondaryRangeName",
        "other",
        True,
    ),
    ("gcp:container/cluster:Cluster", "ipAllocationPolicy.stackType", "IPV4_IPV6", False),
    ("gcp:container/cluster:Cluster", "privateClusterConfig.enablePrivateNodes", False, True),
    ("gcp:container/cluster:Cluster", "privateClusterConfig.enablePrivateEndpoint", True, False),
    ("gcp:container/cluster:Cluster", "releaseChannel.channel", "RAPID", False),
    ("gcp:container/cluster:Cluster", "deletionProtection", True, False),
    ("gcp:container/cluster:Cluster", "resourceLabels", {"team": "x"}, False),
    ("gcp:container/cluster:Cluster", "minMasterVersion", "1.36", False),
    ("gcp:container/nodePool:NodePool", "name", "other", True),
    ("gcp:container/nodePool:NodePool", "cluster", f"{LOCATION}/clusters/other", True),
    ("gcp:container/nodePool:NodePool", "initialNodeCount", 4, True),
    ("gcp:container/nodePool:NodePool", "nodeConfig.spot", True, True),
    ("gcp:container/nodePool:NodePool", "nodeConfig.serviceAccount", "a@b", True),
    ("gcp:container/nodePool:NodePool", "nodeConfig.oauthScopes", ["https://x"], True),
    (
        "gcp:container/nodePool:NodePool",
        "nodeConfig.guestAccelerators",
        [{"type": "nvidia-l4", "count": 1}],
        True,
    ),
    ("gcp:container/nodePool:NodePool", "nodeConfig.machineType", "n2-standard-8", False),
    ("gcp:container/nodePool:NodePool", "nodeConfig.diskSizeGb", 200, False),
    ("gcp:container/nodePool:NodePool", "nodeConfig.labels", {"pool": "x"}, False),
    ("gcp:container/nodePool:NodePool", "nodeConfig.taints", [], False),
    ("gcp:container/nodePool:NodePool", "nodeConfig.tags", ["x"], False),
    ("gcp:container/nodePool:NodePool", "nodeConfig.resourceLabels", {"x": "y"}, False),
    ("gcp:container/nodePool:NodePool", "autoscaling.maxNodeCount", 9, False),
    ("gcp:container/nodePool:NodePool", "nodeLocations", [ZONE], False),
    ("gcp:container/nodePool:NodePool", "maxPodsPerNode", 32, True),
    ("gcp:serviceaccount/account:Account", "accountId", "other-name", True),
    ("gcp:serviceaccount/account:Account", "displayName", "Other", False),
    ("gcp:projects/iAMMember:IAMMember", "role", "roles/viewer", True),
    ("gcp:projects/iAMMember:IAMMember", "member", "user:a@b.example", True),
    ("gcp:projects/service:Service", "service", "compute.googleapis.com", True),
    ("gcp:projects/service:Service", "disableOnDestroy", True, False),
    ("gcp:storage/bucket:Bucket", "location", "US", True),
    ("gcp:storage/bucket:Bucket", "versioning.enabled", False, False),
    ("gcp:storage/bucket:Bucket", "forceDestroy", True, False),
    ("gcp:storage/bucket:Bucket", "lifecycleRules", [], False),
    ("gcp:storage/bucketIAMMember:BucketIAMMember", "role", "roles/storage.admin", True),
    (
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        "role",
        "roles/secretmanager.viewer",
        True,
    ),
    ("gcp:storage/bucketObject:BucketObject", "name", "other.html", True),
    ("gcp:storage/bucketObject:BucketObject", "content", "other", False),
    ("gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig", "displayName", "other", False),
    ("gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig", "httpCheck.path", "/x", False),
    (
        "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
        "monitoredResource.labels",
        {"host": "127.0.0.2", "project_id": PROJECT},
        True,
    ),
    ("gcp:monitoring/notificationChannel:NotificationChannel", "type", "email", True),
    ("gcp:monitoring/notificationChannel:NotificationChannel", "displayName", "other", False),
    (
        "gcp:monitoring/notificationChannel:NotificationChannel",
        "sensitiveLabels.password",
        "battery staple",
        False,
    ),
    ("gcp:monitoring/customService:CustomService", "serviceId", "other", True),
    ("gcp:monitoring/customService:CustomService", "displayName", "other", False),
    ("gcp:monitoring/slo:Slo", "sloId", "other", True),
    ("gcp:monitoring/slo:Slo", "goal", 0.9, False),
    ("gcp:monitoring/slo:Slo", "rollingPeriodDays", 7, False),
    ("gcp:monitoring/slo:Slo", "requestBasedSli.distributionCut.range.max", 900, False),
    ("gcp:monitoring/alertPolicy:AlertPolicy", "displayName", "other", False),
    ("gcp:monitoring/alertPolicy:AlertPolicy", "severity", "CRITICAL", False),
    (
        "gcp:monitoring/dashboard:Dashboard",
        "dashboardJson",
        '{"displayName": "other", "gridLayout": {"columns": "2"}}',
        False,
    ),
    ("gcp:billing/budget:Budget", "billingAccount", "01ACE0-01ACE0-01ACE1", True),
    ("gcp:billing/budget:Budget", "amount.specifiedAmount.units", "2000", False),
    ("gcp:billing/budget:Budget", "thresholdRules", [{"thresholdPercent": 0.9}], False),
]


def changed(inputs: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value set at a dotted path."""
    first, _, rest = path.partition(".")
    inner = changed(inputs.get(first) or {}, rest, value) if rest else value
    return {**inputs, first: inner}
