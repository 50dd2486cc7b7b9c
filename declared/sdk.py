"""Loads the SDK's modules of Google Cloud, without the warnings they give while they load.

Import it before anything else that uses `pulumi_gcp`: the SDK warns of its own deprecated classes
when a module is loaded, which happens at the first access to one of its attributes.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pulumi_gcp import (
        billing,
        certificatemanager,
        compute,
        container,
        dns,
        gkebackup,
        iap,
        kms,
        logging,
        monitoring,
        organizations,
        projects,
        pubsub,
        serviceaccount,
        storage,
    )

    _LOADED = (
        billing.Budget,
        certificatemanager.Certificate,
        compute.Network,
        dns.ManagedZone,
        container.Cluster,
        gkebackup.BackupPlan,
        iap.WebBackendServiceIamMember,
        kms.CryptoKey,
        logging.ProjectSink,
        monitoring.UptimeCheckConfig,
        organizations.Project,
        projects.Service,
        pubsub.Topic,
        serviceaccount.Account,
        storage.Bucket,
    )
