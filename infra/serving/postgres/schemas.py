"""CustomResourceDefinitions of the two kinds that Zalando's operator reads.

Their schemas check what this platform writes; other fields of the operator are preserved.
"""

from infra.serving.manifest import Manifest

GROUP, VERSION = "acid.zalan.do", "v1"
_TEXT: Manifest = {"type": "string"}
_FLAG: Manifest = {"type": "boolean"}
_NUMBER: Manifest = {"type": "integer"}
_TEXTS: Manifest = {"type": "object", "additionalProperties": _TEXT}
_AMOUNTS: Manifest = {"type": "object", "properties": {"cpu": _TEXT, "memory": _TEXT}}


def _open(properties: Manifest, *required: str) -> Manifest:
    """An object that preserves unknown fields."""
    return {
        "type": "object",
        "properties": properties,
        "x-kubernetes-preserve-unknown-fields": True,
        **({"required": list(required)} if required else {}),
    }


def _definition(
    plural: str, kind: str, short: str, properties: Manifest, required: str, columns: list[Manifest]
) -> Manifest:
    return {
        "group": GROUP,
        "names": {
            "kind": kind,
            "listKind": f"{kind}List",
            "plural": plural,
            "singular": kind.lower(),
            "shortNames": [short],
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": [required],
                        "properties": properties,
                    }
                },
            }
        ],
    }


def _column(name: str, path: str, kind: str = "string") -> Manifest:
    return {"name": name, "type": kind, "jsonPath": path}


def postgresql() -> Manifest:
    """The definition of `postgresql`: one cluster."""
    spec = _open(
        {
            "teamId": {"type": "string", "minLength": 1},
            "numberOfInstances": {"type": "integer", "minimum": 0},
            "volume": _open(
                {"size": {"type": "string", "pattern": r"^[1-9]"}, "storageClass": _TEXT}, "size"
            ),
            "postgresql": _open(
                {
                    "version": {"type": "string", "enum": ["13", "14", "15", "16", "17"]},
                    "parameters": _TEXTS,
                },
                "version",
            ),
            "users": {
                "type": "object",
                "additionalProperties": {"type": "array", "nullable": True, "items": _TEXT},
            },
            "databases": _TEXTS,
            "resources": {
                "type": "object",
                "properties": {"requests": _AMOUNTS, "limits": _AMOUNTS},
            },
            "patroni": _open({"initdb": _TEXTS, "synchronous_mode": _FLAG}),
            "clone": _open({"cluster": _TEXT, "uid": _TEXT, "timestamp": _TEXT}, "cluster"),
            "enableMasterLoadBalancer": _FLAG,
            "enableReplicaLoadBalancer": _FLAG,
            "enableLogicalBackup": _FLAG,
        },
        "teamId",
        "numberOfInstances",
        "volume",
        "postgresql",
    )
    return _definition(
        "postgresqls",
        "postgresql",
        "pg",
        {"spec": spec, "status": _open({"PostgresClusterStatus": _TEXT})},
        "spec",
        [
            _column("Team", ".spec.teamId"),
            _column("Version", ".spec.postgresql.version"),
            _column("Instances", ".spec.numberOfInstances", "integer"),
            _column("Volume", ".spec.volume.size"),
            _column("Status", ".status.PostgresClusterStatus"),
            _column("Age", ".metadata.creationTimestamp", "date"),
        ],
    )


def operator_configuration() -> Manifest:
    """The definition of `OperatorConfiguration`: settings of all clusters."""
    configuration = _open(
        {
            "docker_image": _TEXT,
            "enable_crd_registration": _FLAG,
            "workers": {"type": "integer", "minimum": 1},
            "users": _open({"super_username": _TEXT, "replication_username": _TEXT}),
            "kubernetes": _open(
                {
                    "watched_namespace": _TEXT,
                    "cluster_labels": _TEXTS,
                    "pod_service_account_name": _TEXT,
                    "enable_pod_antiaffinity": _FLAG,
                    "enable_pod_disruption_budget": _FLAG,
                    "pdb_name_format": _TEXT,
                    "pod_management_policy": {
                        "type": "string",
                        "enum": ["ordered_ready", "parallel"],
                    },
                    "storage_resize_mode": {
                        "type": "string",
                        "enum": ["ebs", "mixed", "pvc", "off"],
                    },
                }
            ),
            "aws_or_gcp": _open({"wal_gs_bucket": _TEXT}),
            "logging_rest_api": _open({"api_port": _NUMBER}),
        }
    )
    return _definition(
        "operatorconfigurations",
        "OperatorConfiguration",
        "opconfig",
        {"configuration": configuration},
        "configuration",
        [
            _column("Image", ".configuration.docker_image"),
            _column("Age", ".metadata.creationTimestamp", "date"),
        ],
    )
