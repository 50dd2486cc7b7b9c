"""Private keys of self-managed certificates: they must be encrypted in the stack file."""

from gkeplatform.errors import PlatformError

KEY = "gke-networking:private_keys"


def how_to_set(name: str) -> str:
    """The command that writes an encrypted key into the stack file."""
    return (
        f"in infra/networking run `pulumi config set --secret --path '{KEY}.{name}' < {name}.key`"
    )


def require_encryption(private_keys: dict[str, str], *, is_secret: bool) -> None:
    """`PlatformError` where the stack file has private keys as plain text."""
    if private_keys and not is_secret:
        name = min(private_keys)
        raise PlatformError(
            f"{KEY}: the private key of {name} is not encrypted; treat it as leaked: make a new "
            f"one, and {how_to_set(name)}"
        )
