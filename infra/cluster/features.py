"""Arguments of the cluster resource for features that can be turned on or off."""

from typing import Any

import pulumi
from pulumi_gcp import container

from infra.cluster.cluster_settings import AutoProvisioning, ClusterArgs
from infra.cluster.maintenance_settings import Maintenance

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def features(args: ClusterArgs) -> dict[str, Any]:
    """Arguments of `container.Cluster` for all features."""
    settings: dict[str, Any] = {
        "addons_config": addons(args),
        # Not stated by default: a cluster that never had a group shows none, and each `up` would
        # update it. An empty name turns the feature off.
        "authenticator_groups_config": (
            None if args.security_group is None else {"security_group": args.security_group}
        ),
        "binary_authorization": {
            "evaluation_mode": (
                "PROJECT_SINGLETON_POLICY_ENFORCE" if args.binary_authorization else "DISABLED"
            )
        },
        "cost_management_config": {"enabled": args.cost_allocation},
        "enable_intranode_visibility": args.intranode_visibility,
        "enable_l4_ilb_subsetting": args.internal_load_balancer_subsetting,
        "gateway_api_config": {
            "channel": "CHANNEL_STANDARD" if args.gateway_api else "CHANNEL_DISABLED"
        },
        "logging_config": {"enable_components": list(args.logs)},
        "monitoring_config": {
            "enable_components": list(args.metrics),
            "managed_prometheus": {"enabled": args.managed_prometheus},
        },
        # Off is explicit. With rotation, `latest` is read again every two minutes.
        "secret_sync_config": (
            {"enabled": True, "rotation_config": {"enabled": True, "rotation_interval": "120s"}}
            if args.secret_sync
            else {"enabled": False}
        ),
        "security_posture_config": {
            "mode": "BASIC" if args.security_posture else "DISABLED",
            "vulnerability_mode": (
                "VULNERABILITY_BASIC" if args.vulnerability_scanning else "VULNERABILITY_DISABLED"
            ),
        },
        "maintenance_policy": maintenance(args.maintenance) if args.maintenance else None,
    }
    return {key: value for key, value in settings.items() if value is not None}


def addons(args: ClusterArgs) -> container.ClusterAddonsConfigArgsDict:
    """Add-ons that the platform always needs, and the configured ones."""
    return {
        "dns_cache_config": {"enabled": args.dns_cache},
        "gce_persistent_disk_csi_driver_config": {"enabled": True},
        # For models that mount their files from a bucket.
        "gcs_fuse_csi_driver_config": {"enabled": True},
        # Off is explicit: leaving it out would change nothing.
        "gcp_filestore_csi_driver_config": {"enabled": args.filestore_csi_driver},
        "gke_backup_agent_config": {"enabled": args.backup is not None},
    }


def maintenance(args: Maintenance) -> container.ClusterMaintenancePolicyArgsDict:
    """The maintenance window and its exclusions."""
    return {
        "recurring_window": {
            "start_time": args.start,
            "end_time": args.end,
            "recurrence": args.recurrence,
        },
        "maintenance_exclusions": [
            {
                "exclusion_name": one.name,
                "start_time": one.start,
                "end_time": one.end,
                "exclusion_options": {"scope": one.scope},
            }
            for one in args.exclusions
        ],
    }


def auto_provisioning(
    args: AutoProvisioning, *, email: pulumi.Input[str]
) -> container.ClusterClusterAutoscalingArgsDict:
    """Limits, and defaults of the nodes: shielded, with the service account `email`."""
    limits = {"cpu": args.cpu, "memory": args.memory_gb, **args.gpus}
    return {
        "enabled": True,
        "resource_limits": [
            {"resource_type": kind, "minimum": 0, "maximum": most} for kind, most in limits.items()
        ],
        "auto_provisioning_defaults": {
            "service_account": email,
            "oauth_scopes": SCOPES,
            "image_type": "COS_CONTAINERD",
            "management": {"auto_repair": True, "auto_upgrade": True},
            "shielded_instance_config": {
                "enable_secure_boot": True,
                "enable_integrity_monitoring": True,
            },
        },
    }
