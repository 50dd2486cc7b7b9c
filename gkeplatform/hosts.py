"""Host names: which domain pattern covers which host."""


def covers(pattern: str, domain: str) -> bool:
    """Whether `pattern` matches `domain`. A leading `*` stands for exactly one label."""
    if pattern == domain:
        return True
    return pattern.startswith("*.") and domain.partition(".")[2] == pattern[2:]
