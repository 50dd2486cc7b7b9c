"""PromQL on the LoRA adapters of a vLLM server. Pure functions.

vLLM writes them into labels of `vllm:lora_requests_info`, joined by commas. The value is the time.
Whenever the names change there is another series, and the former ones stay with their old times
(https://docs.vllm.ai/en/latest/design/metrics/#lora-metrics), so that the newest one counts.

`running_lora_adapters` and `waiting_lora_adapters` have the same names: those of all adapters with
requests that run or wait (`LoRARequestStates.update_scheduler_stats` in `vllm/v1/metrics/stats.py`,
v0.30). So requests of some wait where there are more names than fit into a batch.
"""

from infra.environment.language_models import queries
from infra.environment.language_models.watched import LanguageModel

INFO = "vllm:lora_requests_info"
NAMES = "running_lora_adapters"


def pods(model: LanguageModel) -> str:
    """Pods that have had requests."""
    return f"count({_newest(model)})"


def full_pods(model: LanguageModel) -> str:
    """Pods with requests for as many adapters as fit into a batch, or more."""
    full = _newest(model, _at_least(model.max_loras))
    return f"count({full}) or vector(0)"


def waiting_pods(model: LanguageModel) -> str:
    """Pods with requests for more adapters than fit: those of some wait."""
    return f"count({_more_than_fit(model)}) or vector(0)"


def running(model: LanguageModel) -> str:
    """Pods by the adapters that they have requests for."""
    return f"count by ({NAMES}) ({_newest(model)})"


def more_are_asked_than_fit(model: LanguageModel) -> str:
    """Met while a pod has requests for more adapters than it takes in a batch."""
    return f"count({_more_than_fit(model)}) > 0"


def _more_than_fit(model: LanguageModel) -> str:
    return _newest(model, _at_least(model.max_loras + 1))


def newest(matchers: str, chosen: str = "") -> str:
    """Each pod's last series of those that match; with `chosen` only if that matches, too."""
    by = "namespace, pod"
    latest = f"max by ({by}) ({INFO}{matchers})"
    return f"{INFO}{chosen or matchers} == on ({by}) group_left () {latest}"


def _newest(model: LanguageModel, chosen: str = "") -> str:
    """Each pod's last series, if it has the labels that are chosen."""
    return newest(queries.matchers(model), queries.matchers(model, chosen))


def _at_least(number: int) -> str:
    """A matcher of so many names or more; Prometheus anchors it."""
    return f'{NAMES}=~"[^,]+(,[^,]+){{{number - 1},}}"'
