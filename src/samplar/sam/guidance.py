"""What PerSAM adds inside the mask decoder: a nudge to its attention, a word to its tokens.

Source: Zhang et al. 2023, arXiv 2305.03048, section 3.2, and the public code (MIT).
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """Target-guided attention and target-semantic prompting, one row per prompt.

    Where tokens read the image, `bias` is added to the scores of every head and token before
    their one softmax. `target` is added to every token before each block and in the last reading,
    but not to the tokens' place, which is their value at the start.

    Args:
        bias: (p, m), one number per cell of the embedding, in row order.
        target: (p, d), the mean feature of what is looked for, not normalised.
        legacy: as the authors' code has it: `bias` is added to the shares after a softmax and a
            second softmax follows, which leaves them almost even; and `target` is also in the
            place of the tokens. In the last reading neither form adds `bias`.
    """

    bias: Float[Tensor, "p m"]
    target: Float[Tensor, "p d"]
    legacy: bool = False

    def shares(self, scores: Float[Tensor, "p h n m"]) -> Float[Tensor, "p h n m"]:
        """Return how much every token reads of every cell."""
        known = scores.softmax(dim=-1) if self.legacy else scores
        return (known + self.bias[:, None, None]).softmax(dim=-1)

    def told(self, tokens: Float[Tensor, "p n d"]) -> Float[Tensor, "p n d"]:
        """Add the target to every token."""
        return tokens + self.target[:, None]

    def place(self, tokens: Float[Tensor, "p n d"]) -> Float[Tensor, "p n d"]:
        """Return what marks the tokens' place, from the tokens at the start."""
        return self.told(tokens) if self.legacy else tokens
