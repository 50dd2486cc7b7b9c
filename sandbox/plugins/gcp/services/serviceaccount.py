"""Service accounts, and their IAM members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.failures import ApiFailure
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy
from sandbox.plugins.gcp.spec import Spec, Values
from sandbox.plugins.values import UNKNOWN

ACCOUNT = "projects/{project}/serviceAccounts/{email}"


class Account(Handler):
    """A service account, identified by the e-mail address that follows from its id and project."""

    def prepare(self, context: Context, inputs: Values) -> None:  # noqa: ARG002  # the context has them
        """The e-mail address, from the account's id or its email."""
        values = context.values
        if values.get("accountId") and values.get("project"):
            domain = str(values["project"])
            if ":" in domain:  # a domain-scoped project: "example.com:project"
                domain = ".".join(reversed(domain.split(":")))
            values["email"] = f"{values['accountId']}@{domain}.iam.gserviceaccount.com"

    def planned(self, context: Context, inputs: Values) -> Values:
        """The outputs of a creation; the e-mail address is known before."""
        outputs = super().planned(context, inputs)
        if inputs.get("accountId") is UNKNOWN or not context.values.get("email"):
            return outputs
        email = context.values["email"]
        return {**outputs, "email": email, "member": f"serviceAccount:{email}"}

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it; with `createIgnoreAlreadyExists`, an existing one is used."""
        account = {
            key: inputs[key]
            for key in ("displayName", "description")
            if inputs.get(key) is not None
        }
        body = {"accountId": inputs["accountId"], "serviceAccount": account}
        try:
            context.call("POST", context.fill("projects/{project}/serviceAccounts"), body)
        except ApiFailure as failure:
            if failure.code != 409 or not inputs.get("createIgnoreAlreadyExists"):
                raise
        if inputs.get("disabled"):
            context.call("POST", f"{context.fill(ACCOUNT)}:disable", {})

    def read_remote(self, context: Context) -> Values | None:
        """The account."""
        return context.find(context.fill(ACCOUNT))

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with those derived from the address."""
        outputs = super().from_api(body)
        email = str(body.get("email", ""))
        return {
            **outputs,
            "accountId": email.partition("@")[0],
            "member": f"serviceAccount:{email}",
        }

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,  # noqa: ARG002  # see the base
        changed: set[str],  # see the base
    ) -> None:
        """Display name and description by PATCH; `disabled` by its own methods."""
        path = context.fill(ACCOUNT)
        if "disabled" in changed:
            context.call("POST", f"{path}:{'disable' if inputs.get('disabled') else 'enable'}", {})
        named = sorted(changed & {"displayName", "description"})
        if named:
            account: Values = {key: inputs.get(key, "") for key in named}
            body = {"serviceAccount": account, "updateMask": ",".join(named)}
            context.call("PATCH", path, body)

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # the place says all
        """Delete the account."""
        context.call("DELETE", context.fill(ACCOUNT))

    def path(self, context: Context) -> str:
        """The account's own path."""
        return context.fill(ACCOUNT)


HANDLERS: tuple[Handler, ...] = (
    Account(
        Spec(
            type="gcp:serviceaccount/account:Account",
            schema="iam.v1.ServiceAccount",
            collection="projects/{project}/serviceAccounts",
            id=ACCOUNT,
            name="email",
            update="PATCH",
            immutable=frozenset({"accountId"}),
            local={"accountId": None, "member": None, "createIgnoreAlreadyExists": None},
        )
    ),
    IamMember(
        "gcp:serviceaccount/iAMMember:IAMMember",
        Policy(
            service="iam",
            resource="{serviceAccountId}",
            version="options.requestedPolicyVersion",
        ),
    ),
)
