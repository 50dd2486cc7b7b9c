"""The namespaces of a stack file: the platform's own, and those of Pulumi and its providers.

A key is `namespace:name`. Pulumi ignores a namespace that no program reads, so a misspelt one would
silently leave its keys at their defaults; here it is an error.
"""

import difflib
from collections.abc import Collection

from gkeplatform.config import suggestion
from gkeplatform.environment import NAMESPACE
from gkeplatform.errors import PlatformError
from gkeplatform.explanation import REFERENCE
from gkeplatform.layers import LAYERS
from gkeplatform.stack_values import no_keys

GOOGLE = "gcp"
"""The provider's namespace. The platform reads two of its keys; others must not be misspelt."""
_PROVIDER_KEYS = (
    *("accessToken", "addPulumiAttributionLabel", "batching", "billingProject", "credentials"),
    *("defaultLabels", "deletionPolicy", "disableGlobalProjectWarning"),
    *("disableGooglePartnerName", "externalCredentials", "googlePartnerName"),
    *("impersonateServiceAccount", "impersonateServiceAccountDelegates", "pollInterval"),
    *("preferGlobalEndpoints", "preferRegionalEndpoints", "project"),
    *("pulumiAttributionLabelAdditionStrategy", "region", "requestReason", "requestTimeout"),
    *("scopes", "skipRegionValidation", "universeDomain", "userProjectOverride", "zone"),
)
"""Keys of the provider: https://www.pulumi.com/registry/packages/gcp/api-docs/provider/. There are
more, such as the endpoint of each service."""
POLICIES = "gke-policies"
"""The namespace of the policy pack's settings."""

PLATFORM = (GOOGLE, NAMESPACE, *(layer.project for layer in LAYERS), POLICIES)
"""Namespaces whose keys are described in `stacks/README.md`."""

PASSED_ON = (
    "aws",
    "azure",
    "azure-native",
    "cloudflare",
    "command",
    "datadog",
    "docker",
    "github",
    "google-native",
    "kubernetes",
    "pagerduty",
    "pulumi",
    "random",
    "tls",
    "vault",
)
"""Namespaces of Pulumi and its providers. Their keys are not checked; add a provider to use it."""


def check(keys: Collection[str], *, file: str) -> None:
    """Raise `PlatformError` for a key whose namespace is not known, and where there are no keys.

    A key without a namespace is the project's own: the engine has put the project's name before it.
    """
    if not keys:
        raise no_keys(file)
    for key in keys:
        namespace, colon, name = key.partition(":")
        if namespace == GOOGLE and name not in _PROVIDER_KEYS:
            near = difflib.get_close_matches(name, _PROVIDER_KEYS, n=1, cutoff=0.8)
            if near:
                meant = f"{GOOGLE}:{near[0]}"
                raise PlatformError(
                    f'{file}: {key}: the provider has no such key; did you mean "{meant}"?'
                )
        if colon and namespace not in PLATFORM and namespace not in PASSED_ON:
            raise PlatformError(
                f'{file}: {key}: unknown namespace "{namespace}"; '
                f"{suggestion(namespace, PLATFORM)}\nhint: every key is described in {REFERENCE}"
            )
