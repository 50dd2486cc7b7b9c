"""A model server's metrics in Prometheus' text format, by the names that the real server has.

They are counted from the requests that were answered. Values that the pod's annotation
`sandbox/gauges` or the settings name replace the measured ones. Sources: the `/metrics` pages of
vLLM (docs/usage/metrics), Triton (user_guide/metrics), MLServer (user-guide/metrics), TensorFlow
Serving (the metrics' definitions in its source), Text Generation Inference and TorchServe.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from sandbox.traffic.model_servers.adapter_batch import AdapterBatch
from sandbox.traffic.model_servers.load import (
    BUCKETS,
    COMMON_BOUNDS,
    FIRST_TOKEN_BOUNDS,
    TOKEN_BOUNDS,
    Histogram,
    Load,
)
from sandbox.traffic.model_servers.prefix_cache import BLOCK_SIZE, BLOCKS
from sandbox.traffic.model_servers.served import Served

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_Labels = Mapping[str, str]
_Samples = list[tuple[str, _Labels, float]]
_Family = tuple[str, str, _Samples]
"""Name, type, and samples: a suffix of the name, labels and value."""


def text(served: Served, load: Load, gauges: str | None) -> bytes:
    """The page. `gauges` is the pod's annotation: a JSON object of numbers by name."""
    given = {**load.settings.gauges, **annotated(gauges)}
    lines: list[str] = []
    labels: _Labels = {}
    for name, (kind, samples) in _merged(_FAMILIES[served.server.kind](served, load)).items():
        lines.append(f"# TYPE {name} {kind}")
        if kind == "gauge" and name in given:
            labels = samples[0][1] if samples else {}
            lines.append(_line(name, labels, given.pop(name)))
            continue
        lines += [_line(name + suffix, labels, value) for suffix, labels, value in samples]
    for name, value in given.items():
        lines += [f"# TYPE {name} gauge", _line(name, {}, value)]
    return ("\n".join(lines) + "\n").encode()


def _merged(
    families: Iterator[_Family],
) -> dict[str, tuple[str, _Samples]]:
    """The families by name; the format wants all samples of a name together."""
    found: dict[str, tuple[str, _Samples]] = {}
    for name, kind, samples in families:
        found.setdefault(name, (kind, []))[1].extend(samples)
    return found


def annotated(gauges: str | None) -> dict[str, float]:
    """The values of the annotation; those that are no numbers are left out."""
    try:
        values = json.loads(gauges or "{}")
    except ValueError:
        return {}
    found = {}
    for name, value in values.items() if isinstance(values, dict) else ():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError):
            continue
    return found


def _line(name: str, labels: _Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:.15g}" if inside else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _histogram(
    name: str,
    labels: _Labels,
    one: Histogram | None,
    *,
    scale: float = 1,
    bounds: tuple[float, ...] = COMMON_BOUNDS,
) -> _Family:
    histogram = one or Histogram()
    samples: _Samples = []
    total = 0
    for bound, count in zip((*BUCKETS, None), histogram.counts, strict=True):
        total += count
        if bound is not None and bound not in bounds:
            continue
        le = "+Inf" if bound is None else f"{bound * scale:g}"
        samples.append(("_bucket", {**labels, "le": le}, total))
    samples += [("_sum", labels, histogram.total * scale), ("_count", labels, total)]
    return name, "histogram", samples


def _models(served: Served, load: Load) -> list[str]:
    return sorted({*served.server.models, *load.durations}) or [served.model]


def _by_outcome(load: Load, model: str) -> tuple[int, int]:
    """How many requests of a model succeeded and failed."""
    counted: Counter[bool] = Counter()
    for (name, _, status), count in load.requests.items():
        if name == model:
            counted[status < 400] += count
    return counted[True], counted[False]


def _tensorflow(served: Served, load: Load) -> Iterator[_Family]:
    requests: _Samples = []
    latencies: list[_Labels] = []
    for model in _models(served, load):
        good, bad = _by_outcome(load, model)
        labels = {"model_name": model}
        requests.append(("", {**labels, "status": "OK"}, float(good)))
        if bad:
            requests.append(("", {**labels, "status": "INTERNAL"}, float(bad)))
        latencies.append({**labels, "API": "Predict", "entrypoint": "REST"})
    yield ":tensorflow:serving:request_count", "counter", requests
    for model, labelled in zip(_models(served, load), latencies, strict=True):
        name = ":tensorflow:serving:request_latency"
        yield _histogram(name, labelled, load.durations.get(model), scale=1e6)


def _triton(served: Served, load: Load) -> Iterator[_Family]:
    version = served.server.model_version
    labelled = {one: {"model": one, "version": version} for one in _models(served, load)}

    def counters(name: str, value: Callable[[str], float]) -> _Family:
        return name, "counter", [("", labels, value(one)) for one, labels in labelled.items()]

    def microseconds(model: str) -> float:
        return load.durations[model].total * 1e6 if model in load.durations else 0.0

    yield counters("nv_inference_request_success", lambda one: _by_outcome(load, one)[0])
    yield counters("nv_inference_request_failure", lambda one: _by_outcome(load, one)[1])
    yield counters("nv_inference_count", lambda one: _by_outcome(load, one)[0])
    yield counters("nv_inference_exec_count", lambda one: _by_outcome(load, one)[0])
    yield counters("nv_inference_request_duration_us", microseconds)
    yield counters("nv_inference_queue_duration_us", lambda one: load.queued[one] * 1e6)
    yield counters(
        "nv_inference_compute_infer_duration_us",
        lambda one: max(0.0, microseconds(one) - load.queued[one] * 1e6),
    )
    pending: _Samples = [
        ("", labels, float(load.waiting if place == 0 else 0))
        for place, labels in enumerate(labelled.values())
    ]
    yield "nv_inference_pending_request_count", "gauge", pending


def _mlserver(served: Served, load: Load) -> Iterator[_Family]:
    statuses: Counter[str] = Counter()
    for (_, _, status), count in load.requests.items():
        statuses[str(status)] += count
    labels = {"method": "POST", "path": "/v2/models/{model_name}/infer"}
    rest: _Samples = [
        ("", {**labels, "status_code": status}, float(count)) for status, count in statuses.items()
    ]
    yield "rest_server_requests_total", "counter", rest
    in_progress = float(load.running + load.waiting)
    yield "rest_server_requests_in_progress", "gauge", [("", labels, in_progress)]
    for model in _models(served, load):
        good, bad = _by_outcome(load, model)
        of_model = {"model": model, "version": served.server.model_version}
        yield "model_infer_request_success_total", "counter", [("", of_model, float(good))]
        yield "model_infer_request_failure_total", "counter", [("", of_model, float(bad))]
        name = "rest_server_request_duration_seconds"
        yield _histogram(name, {**labels, "model": model}, load.durations.get(model))


def _vllm(served: Served, load: Load) -> Iterator[_Family]:
    # Of several names the first, also for requests that ask for an adapter.
    labels = {"engine": "0", "model_name": served.model}
    for name, value in (
        ("num_requests_running", float(load.running)),
        ("num_requests_waiting", float(load.waiting)),
        # Each request that runs holds a part of the cache, as far as there is a limit.
        ("kv_cache_usage_perc", load.running / max(load.settings.concurrency, 100)),
    ):
        yield f"vllm:{name}", "gauge", [("", labels, value)]
    blocks = {"block_size": str(BLOCK_SIZE), "num_gpu_blocks": str(BLOCKS)}
    yield "vllm:cache_config_info", "gauge", [("", {**labels, **blocks}, 1.0)]
    for name, tokens in (
        ("prefix_cache_queries_total", load.prefixes.queries),
        ("prefix_cache_hits_total", load.prefixes.hits),
    ):
        yield f"vllm:{name}", "counter", [("", labels, float(tokens))]
    good, bad = (sum(x) for x in zip(*(_by_outcome(load, one) for one in _models(served, load)),
                                     strict=True))  # fmt: skip
    success: _Samples = [
        ("", {**labels, "finished_reason": "stop"}, float(good)),
        ("", {**labels, "finished_reason": "abort"}, float(bad)),
    ]
    yield "vllm:request_success_total", "counter", success
    for name, counted in (
        ("prompt_tokens_total", load.prompt_tokens),
        ("generation_tokens_total", load.generated_tokens),
    ):
        yield f"vllm:{name}", "counter", [("", labels, float(counted.total()))]
    # Requests for adapters count with their model.
    durations = _joined(load.durations.values())
    yield _histogram("vllm:e2e_request_latency_seconds", labels, durations)
    first = "vllm:time_to_first_token_seconds"
    yield _histogram(first, labels, durations, bounds=FIRST_TOKEN_BOUNDS)
    between = "vllm:inter_token_latency_seconds"
    yield _histogram(between, labels, load.between_tokens, bounds=TOKEN_BOUNDS)
    if load.adapters is not None:
        yield "vllm:lora_requests_info", "gauge", _adapters(load.adapters)


def _adapters(batch: AdapterBatch) -> _Samples:
    """A series for all adapters that ever had requests together; the value is the last time."""
    return [
        (
            "",
            {
                "max_lora": str(batch.most),
                "running_lora_adapters": names,
                "waiting_lora_adapters": names,
            },
            when,
        )
        for names, when in batch.series().items()
    ]


def _joined(histograms: Iterable[Histogram]) -> Histogram:
    found = Histogram()
    for one in histograms:
        found.counts = [mine + its for mine, its in zip(found.counts, one.counts, strict=True)]
        found.total += one.total
    return found


def _text_generation(served: Served, load: Load) -> Iterator[_Family]:
    model = _models(served, load)[0]
    good, bad = _by_outcome(load, model)
    yield "tgi_request_count", "counter", [("", {}, float(good + bad))]
    yield "tgi_request_success", "counter", [("", {}, float(good))]
    yield "tgi_queue_size", "gauge", [("", {}, float(load.waiting))]
    yield "tgi_batch_current_size", "gauge", [("", {}, float(load.running))]
    yield _histogram("tgi_request_duration", {}, load.durations.get(model))


def _torchserve(served: Served, load: Load) -> Iterator[_Family]:
    requests: _Samples = []
    latencies: _Samples = []
    for model in _models(served, load):
        labels = {"model_name": model, "model_version": "1.0", "hostname": served.pod}
        requests.append(("", labels, float(sum(_by_outcome(load, model)))))
        total = load.durations[model].total if model in load.durations else 0.0
        latencies.append(("", labels, total * 1e6))
    yield "ts_inference_requests_total", "counter", requests
    yield "ts_inference_latency_microseconds", "counter", latencies
    hosts = {"Level": "Host", "Hostname": served.pod}
    yield "ts_queue_size", "gauge", [("", hosts, float(load.waiting))]


def _custom(served: Served, load: Load) -> Iterator[_Family]:
    statuses: Counter[int] = Counter()
    for (_, _, status), count in load.requests.items():
        statuses[status] += count
    samples: _Samples = [
        ("", {"status": str(status)}, float(count)) for status, count in statuses.items()
    ]
    yield "http_requests_total", "counter", samples
    yield "http_requests_in_progress", "gauge", [("", {}, float(load.running))]
    yield "http_requests_waiting", "gauge", [("", {}, float(load.waiting))]
    for model in _models(served, load)[:1]:
        yield _histogram("http_request_duration_seconds", {}, load.durations.get(model))


_FAMILIES: Mapping[str, Callable[[Served, Load], Iterator[_Family]]] = {
    "tensorflow-serving": _tensorflow,
    "triton": _triton,
    "mlserver": _mlserver,
    "vllm": _vllm,
    "text-generation-inference": _text_generation,
    "torchserve": _torchserve,
    "custom": _custom,
}
