"""Roles of Google Cloud: which exist, as far as the lists of this module go."""

from __future__ import annotations

import re

_CUSTOM = re.compile(r"(projects|organizations)/[^/]+/roles/[A-Za-z0-9_.]+")
_PREDEFINED = re.compile(r"roles/(?P<service>[a-zA-Z0-9]+)\.(?P<name>[A-Za-z0-9_.]+)")
_BASIC = frozenset({"roles/owner", "roles/editor", "roles/viewer", "roles/browser"})

# The roles of these services are listed, so that a misspelt one is refused. Any role of another
# service is accepted, if there is such a service.
_ROLES = {
    "artifactregistry": (
        "admin containerRegistryMigrationAdmin createOnPushRepoAdmin createOnPushWriter reader "
        "repoAdmin serviceAgent writer"
    ),
    "cloudkms": (
        "admin autokeyAdmin autokeyUser cryptoKeyDecrypter cryptoKeyDecrypterViaDelegation "
        "cryptoKeyEncrypter cryptoKeyEncrypterDecrypter "
        "cryptoKeyEncrypterDecrypterViaDelegation cryptoKeyEncrypterViaDelegation "
        "cryptoOperator ekmConnectionsAdmin importer protectedResourcesViewer publicKeyViewer "
        "serviceAgent signer signerVerifier verifier viewer"
    ),
    "cloudtrace": "admin agent user",
    "container": (
        "admin clusterAdmin clusterViewer defaultNodeServiceAccount defaultNodeServiceAgent "
        "developer hostServiceAgentUser nodeServiceAccount nodeServiceAgent serviceAgent viewer"
    ),
    "gkebackup": (
        "admin backupAdmin delegatedBackupAdmin delegatedRestoreAdmin restoreAdmin serviceAgent "
        "viewer"
    ),
    "logging": (
        "admin bucketWriter configWriter fieldAccessor linkViewer logWriter privateLogViewer "
        "serviceAgent sqlAlertWriter viewAccessor viewer"
    ),
    "dns": "admin peer reader serviceAgent",
    "iap": (
        "admin httpsResourceAccessor remediatorUser serviceAgent settingsAdmin "
        "tunnelDestGroupEditor tunnelDestGroupViewer tunnelResourceAccessor"
    ),
    "monitoring": (
        "admin alertPolicyEditor alertPolicyViewer cloudConsoleIncidentEditor "
        "cloudConsoleIncidentViewer dashboardEditor dashboardViewer editor "
        "metricsScopesAdmin metricsScopesViewer metricWriter notificationChannelEditor "
        "notificationChannelViewer notificationServiceAgent servicesEditor servicesViewer "
        "snoozeEditor snoozeViewer uptimeCheckConfigEditor uptimeCheckConfigViewer viewer"
    ),
    "pubsub": "admin editor publisher serviceAgent subscriber viewer",
    "secretmanager": (
        "admin secretAccessor secretVersionAdder secretVersionManager serviceAgent viewer"
    ),
    "stackdriver": (
        "accounts.editor accounts.viewer maintenanceWindow.editor maintenanceWindow.viewer "
        "resourceMaintenanceWindow.editor resourceMaintenanceWindow.viewer resourceMetadata.writer"
    ),
    "storage": (
        "admin bucketViewer expressModeServiceInput expressModeServiceOutput expressModeUserAccess "
        "folderAdmin hmacKeyAdmin insightsCollectorService legacyBucketOwner legacyBucketReader "
        "legacyBucketWriter legacyObjectOwner legacyObjectReader objectAdmin objectCreator "
        "objectUser objectViewer"
    ),
}

# Services that have roles, by the names that the roles have: those of Google's discovery documents,
# and those whose roles are named otherwise. A role of any other service does not exist.
_NAMES = """
accessapproval accesscontextmanager acmedns actions agenciesandbrands agentidentity
agentidentitycredentials agentregistry aiplatform aiplatformcustom alloydb analyticshub
apigateway apigee apigeeconnect apigeeregistry apihub apikeys appengine appengineflex apphub
appsmarket artifactregistry assuredworkloads auditmanager authorizedbuyersmarketplace automl
autoscaling axt backupdr baremetalsolution batch beyondcorp biglake bigquery bigqueryconnection
bigquerydatapolicy bigquerydatatransfer bigquerymigration bigqueryreservation bigtableadmin
billing billingbudgets binaryauthorization blockchainnodeengine browser certificatemanager ces
checks chronicle clientauthconfig cloudaicompanion cloudasset cloudbilling cloudbuild
cloudchannel cloudcommerceprocurement cloudconfig cloudcontrolspartner clouddebugger clouddeploy
clouddeploymentmanager clouddomains clouderrorreporting cloudfunctions cloudidentity cloudiot
cloudjobdiscovery cloudkms cloudlocationfinder cloudmigration cloudnumberregistry
cloudoptimization cloudprivatecatalog cloudproductregistry cloudprofiler cloudquotas
cloudresourcemanager cloudscheduler cloudsearch cloudsecurityscanner cloudshell cloudsql
cloudsupport cloudtasks cloudtestservice cloudtrace cloudtranslate colaboratory
commercebusinessenablement composer compute confidentialcomputing config configconnector
connectgateway connectors contactcenteraiplatform contactcenterinsights container
containeranalysis containerregistry containersecurity containerthreatdetection contentwarehouse
curationpartners databasecenter datacatalog dataconnectors dataflow dataform datafusion
datalabeling datalineage datamanager datamigration datapipelines dataplex dataportability
dataprep dataproc dataprocessing dataprocrm datastore datastream datastudio deepreview
deploymentmanager developerconnect developerknowledge devicerun dialogflow discovery
discoveryengine dlp dns documentai domains domainsrdap earthengine edgecontainer edgenetwork
endpoints endpointsportal enterpriseknowledgegraph enterprisepurchasing errorreporting
essentialcontacts eventarc eventstream file firebase firebaseappcheck firebaseappdistribution
firebaseapphosting firebaseauth firebasecrash firebasecrashlytics firebasedatabase
firebasedataconnect firebasedynamiclinks firebasehosting firebaseml firebaserules
firebasestorage firestore fleetengine ftp genomics gkebackup gkehub gkemulticloud gkeonprem
gsuiteaddons health healthcare hypercomputecluster iam iamcertificatemanager iamcredentials iap
ideahub identityplatform identitytoolkit ids integrations issuerswitch kmsinventory
krmapihosting kubernetesengine kubernetesmetadata kuberun language libraryagent licensemanager
lifesciences livestream logging looker managedidentities managedkafka mandiant mapsadmin
marketplacesolutions mediaasset memcache meshconfig meshcontrolplane meshdataplane meshtelemetry
metastore migrationcenter ml modelarmor monitoring multiclusteringress multiclustermetering
multiclusterservicediscovery nestconsole netapp netappcloudvolumes networkconnectivity
networkmanagement networksecurity networkservices notebooks observability ondemandscanning
opsconfigmonitoring oracledatabase orgpolicy osconfig oslogin owner parallelstore
parametermanager policyanalyzer policyremediatormanager policysimulator policytroubleshooter
privateca privilegedaccessmanager proximitybeacon publicca pubsub pubsublite
rapidmigrationassessment recaptchaenterprise recommendationengine recommender redis
redisenterprisecloud remotebuildexecution resourcemanager resourcesettings retail riscconfigs
riskmanager rma roles run runapps runtimeconfig saasservicemgmt secretmanager
secureaccessconnect securedlandingzone securesourcemanager securitycenter
securitycentermanagement securityposture serverless servicebroker serviceconsumermanagement
servicecontrol servicedirectory servicehealth servicemanagement servicenetworking
servicesecurityinsights serviceusage source sourcerepo spanner spectrumsas speech sqladmin
stackdriver storage storagebatchoperations storageinsights storagetransfer stream sts
subscribewithgoogledeveloper telcoautomation testing texttospeech threatintelligence
timeseriesinsights toolresults tpu trafficdirector transcoder transferappliance translate
translationhub vectorsearch vectortile versionhistory vertexai videostitcher vision visionai
visualinspection visualinspectionai vmmigration vmwareengine vpcaccess vpcserviceconnect
webcontentpublisher websecurityscanner workflowexecutions workflows workloadcertificate
workloadidentity workloadmanager workstations
"""
_SERVICES = frozenset(_NAMES.split())


def is_role(name: str) -> bool:
    """Whether the role exists, as far as the list above goes."""
    if name in _BASIC or _CUSTOM.fullmatch(name):
        return True
    match = _PREDEFINED.fullmatch(name)
    if match is None:
        return False
    known = _ROLES.get(match["service"])
    return match["service"] in _SERVICES if known is None else match["name"] in known.split()


def roles() -> list[str]:
    """The basic roles, and the predefined roles listed above."""
    named = (
        f"roles/{service}.{name}" for service, known in _ROLES.items() for name in known.split()
    )
    return sorted([*_BASIC, *named])
