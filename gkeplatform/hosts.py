"""Which domain covers which host, and whether models ask for hosts that there are."""

from collections.abc import Iterable, Mapping, Sequence

from gkeplatform.config import suggestion
from gkeplatform.errors import PlatformError


def covers(pattern: str, domain: str) -> bool:
    """Whether `pattern` stands for `domain`: a `*` stands for one label."""
    if pattern == domain:
        return True
    return pattern.startswith("*.") and domain.partition(".")[2] == pattern[2:]


def check(wanted: Mapping[str, Iterable[str]], domains: Sequence[str], *, file: str) -> None:
    """`PlatformError` where a model asks for a host that is no domain of the load balancer.

    Where no domains are listed, others answer for them, and nothing is known.
    """
    for model, hosts in wanted.items() if domains else ():
        for host in hosts:
            if not any(covers(domain, host) for domain in domains):
                raise PlatformError(
                    f'{file}: gke-serving:models: model "{model}": exposure.hosts: "{host}" is '
                    f"none of gke-networking:domains; {suggestion(host, domains)}"
                )
