"""What the engine's names for resources and their types say."""


def name(urn: str) -> str:
    """The resource's name in the program."""
    return urn.rpartition("::")[2]


def kind(type_: str) -> str:
    """The last part of a type, such as `Network`."""
    return type_.rpartition(":")[2]
