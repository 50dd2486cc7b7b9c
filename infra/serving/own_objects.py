"""Which objects a component declares, noted as it declares them.

What is published of them lets a later run of this layer leave them in place when the stack file
says nothing of them any more (`former_servers.py`).
"""

from collections.abc import Mapping

import pulumi

from gkeplatform.contracts import OwnObject

_KUBERNETES = "kubernetes:"


class OwnObjects:
    """The Kubernetes objects of the components of versions of models, by version."""

    def __init__(self) -> None:
        self._found: dict[str, list[OwnObject]] = {}

    def noting(self, version: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        """`opts` of a component; the objects whose parent it is are noted as those of `version`."""
        found = self._found.setdefault(version, [])
        components: list[pulumi.Resource] = []

        def note(args: pulumi.ResourceTransformationArgs) -> None:
            if not components:  # it sees the component first, and then what is below it
                components.append(args.resource)
            elif args.type_.startswith(_KUBERNETES) and args.opts.parent is components[0]:
                owner = components[0].pulumi_resource_type
                found.append(OwnObject(type=args.type_, name=args.name, owner=owner))

        added = pulumi.ResourceOptions(transformations=[note])
        return pulumi.ResourceOptions.merge(opts, added)

    def by_version(self) -> Mapping[str, tuple[OwnObject, ...]]:
        """What was noted until now."""
        return {version: tuple(found) for version, found in self._found.items()}
