"""The forms that some texts of an entry must have, said once."""

from typing import Annotated

from msgspec import Meta

Source = Annotated[str, Meta(pattern=r"^gs://[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9](/[^/\s]+)+$")]
"""A folder in a bucket."""
Image = Annotated[
    str, Meta(pattern=r"^[^\s:@]+(:[0-9]+/[^\s:@]+)?(:[\w.-]+|@sha256:[0-9a-f]{64})$")
]
"""An image with a tag or a digest."""
# Kubernetes draws the ports of other Services from above this band first, so that one chosen here
# is free: min(max(16, 2768 / 32), 128) = 86 ports (ServiceNodePortStaticSubrange, on since 1.27).
NodePort = Annotated[int, Meta(ge=30000, le=30085)]
