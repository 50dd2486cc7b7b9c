"""PromQL on the LoRA adapters of a vLLM server. Pure functions.

vLLM writes them into labels of `vllm:lora_requests_info`: the names of the adapters with requests
that run, and of those with requests that wait, joined by commas. The value is the time. Whenever
the names change there is another series, and the former ones stay with their old times
(https://docs.vllm.ai/en/latest/design/metrics/#lora-metrics), so that the newest one counts.
"""

from infra.environment.language_models import queries
from infra.environment.language_models.watched import LanguageModel

INFO = "vllm:lora_requests_info"
RUNNING, WAITING = "running_lora_adapters", "waiting_lora_adapters"


def pods(model: LanguageModel) -> str:
    """Pods that have had requests."""
    return f"count({_newest(model)})"


def full_pods(model: LanguageModel) -> str:
    """Pods with as many adapters in the batch as they take."""
    full = _newest(model, _at_least(RUNNING, model.max_loras))
    return f"count({full}) or vector(0)"


def waiting_pods(model: LanguageModel) -> str:
    """Pods with requests for adapters that wait."""
    some = _newest(model, _at_least(WAITING, 1))
    return f"count({some}) or vector(0)"


def running(model: LanguageModel) -> str:
    """Pods by the adapters that they run."""
    return f"count by ({RUNNING}) ({_newest(model)})"


def more_wait_than_fit(model: LanguageModel) -> str:
    """Met while requests for more adapters wait at a pod than it takes in a batch."""
    some = _newest(model, _at_least(WAITING, model.max_loras + 1))
    return f"count({some}) > 0"


def _newest(model: LanguageModel, chosen: str = "") -> str:
    """Each pod's last series, if it has the labels that are chosen."""
    every = f"{INFO}{queries.matchers(model)}"
    some = f"{INFO}{queries.matchers(model, chosen)}"
    return f"{some} == on (pod) group_left () max by (pod) ({every})"


def _at_least(label: str, number: int) -> str:
    """A matcher of so many names or more; Prometheus anchors it."""
    return f'{label}=~"[^,]+(,[^,]+){{{number - 1},}}"'
