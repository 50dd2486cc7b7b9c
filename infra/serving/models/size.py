"""Settings: the memory that a language model takes, for the check that its server can start."""

import difflib
from typing import Annotated

from msgspec import Meta

from facts import models
from gkeplatform.config import Settings
from infra.serving.quantity import Memory
from infra.serving.scalars import texts


class ModelSize(Settings):
    """A well-known model, or the bytes of another. `./platformctl size` shows what fits."""

    model: Annotated[
        str | None,
        Meta(
            description="Name on Hugging Face of a well-known model whose published files these "
            "are, for example `meta-llama/Llama-3.1-8B-Instruct`."
        ),
    ] = None
    weights: Annotated[
        Memory | None,
        Meta(description="Bytes of the weights of all GPUs together: of the safetensors files."),
    ] = None
    kv_cache_per_token: Annotated[
        Memory | None,
        Meta(description="Bytes of KV cache of a token on all GPUs together, as `128Ki`."),
    ] = None

    def __post_init__(self) -> None:
        texts(self, "weights", "kv_cache_per_token")
        if (self.model is None) == (self.weights is None):
            raise ValueError(
                "set either model, the name of a well-known model, or weights, the bytes of its "
                "safetensors files"
            )
        if self.model is not None:
            if self.kv_cache_per_token is not None:
                raise ValueError(f"kv_cache_per_token of {self.model} is known; remove it")
            if models.configuration(self.model) is None:
                raise ValueError(
                    f'model "{self.model}" is not in the table of models'
                    f"{_meant(self.model)}; set weights instead, the bytes of its safetensors files"
                )


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name, models.names(), n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""
