"""The memory of a vLLM server, reckoned from a model's published configuration.

Pure arithmetic: weights, KV cache and working memory of one accelerator, for `platformctl size` and
for the serving layer's check that an entry can fit. It is no measurement: vLLM profiles its own
memory when it starts (`determine_available_memory` in `vllm/v1/worker/gpu_worker.py`), and this
follows the same sum. Each module names the source of its formulas.
"""
