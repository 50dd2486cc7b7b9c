"""How vLLM is started: the arguments that its memory depends on, with vLLM's defaults.

https://docs.vllm.ai/en/latest/configuration/engine_args/, v0.33.
"""

from dataclasses import dataclass

from facts.accelerator_memory import GIB

UTILIZATION = 0.92
"""Default of `--gpu-memory-utilization` (`vllm/config/cache.py`)."""

_LARGE = 70 * GIB
"""From this memory on vLLM schedules larger batches, except on an A100 (`get_batch_defaults`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One vLLM engine. Data parallelism runs several, each with memory of its own."""

    memory: int
    """Bytes of one accelerator."""
    accelerator: str = ""
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    expert_parallel: int = 1
    """Ranks over which the experts are divided, if not over the tensor-parallel ones."""
    utilization: float = UTILIZATION
    context: int | None = None
    """`--max-model-len`; None: the model's own."""
    dtype: str = "auto"
    """The weights' precision; `auto`: the checkpoint's."""
    kv_dtype: str = "auto"
    """`--kv-cache-dtype`; `auto`: the model's."""
    batched_tokens: int | None = None
    sequences: int | None = None
    adapters: int = 0
    """LoRA adapters in one batch (`--max-loras`); 0: without `--enable-lora`."""
    adapter_rank: int = 16
    is_eager: bool = False
    """Without CUDA graphs (`--enforce-eager`)."""
    kv_memory: int | None = None
    """`--kv-cache-memory-bytes`, in place of what is left."""
    is_tpu: bool = False

    @property
    def accelerators(self) -> int:
        """The accelerators of the engine."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def step_tokens(self) -> int:
        """Tokens of one step at most (`--max-num-batched-tokens`)."""
        if self.batched_tokens is not None:
            return self.batched_tokens
        return 8192 if self._has_large_batches else 2048

    @property
    def step_sequences(self) -> int:
        """Requests of one step at most (`--max-num-seqs`)."""
        if self.sequences is not None:
            return self.sequences
        return 1024 if self._has_large_batches else 256

    @property
    def budget(self) -> int:
        """Bytes that vLLM may use for weights, working memory and KV cache."""
        return int(self.memory * self.utilization)

    @property
    def _has_large_batches(self) -> bool:
        return self.memory >= _LARGE and "a100" not in self.accelerator
