"""What callers or operators lose by a change, and for how long at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that is lost, interrupted, or moved without an interruption."""

    kind: str
    """`workload`, `route`, `address`, `certificate` or `data`."""
    subject: str
    effect: str
    seconds: int | None
    """The longest interruption; 0 for none, None where it has no bound or is not known."""
    layer: str = ""
    is_certain: bool = True
    """Whether what happens is known; False where the program's plan alone does not tell."""
    is_final: bool = False
    """Whether it does not come back."""

    @property
    def length(self) -> str:
        """The interruption in words."""
        if self.is_final:
            return "for good"
        if self.seconds == 0:
            return "no interruption"
        if self.seconds is None:
            return "no known limit" if self.is_certain else "length not known"
        if self.seconds < 120:
            return f"at most {self.seconds} s"
        return f"at most {round(self.seconds / 60)} min"
