"""A U-Net beside SAM's decoder, how far both have learnt each class, and what they say together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from samplar.methods.pixel_unet import PixelUNet
from samplar.methods.task_network import run_network

KEEP = 0.95
"""Of what was counted in earlier batches, in every batch: about the last twenty count."""

LEAST = 1e-6
"""What every class has at least, so that its logarithm is finite."""


class Beside(nn.Module):
    """The U-Net, and counts of both networks' pixels on the images they were trained on.

    The counts are no weights and no gradient reaches them; they are parameters so that checkpoints
    and adapters hold them.

    Args:
        classes: foreground classes.
        width: channels of the U-Net at full resolution.
        levels: its resolutions.
    """

    def __init__(self, classes: int, *, width: int, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.unet = PixelUNet(3, classes + 1, width=width, levels=levels)
        self.counts = nn.Parameter(torch.zeros(2, 2, classes))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k h w"]:
        """Return the U-Net's logits."""
        return run_network(self.unet, images, levels=self.levels)

    @torch.no_grad()
    def watch(
        self,
        decoded: Float[Tensor, "b k i j"],
        beside: Float[Tensor, "b k h w"],
        labels: Integer[Tensor, "b h w"],
    ) -> None:
        """Count how far both found each class in a batch; 255 is no class."""
        classes = torch.arange(1, beside.shape[1], device=labels.device).view(-1, 1, 1, 1)
        true, known = labels == classes, labels <= len(classes)
        for row, logits in zip(self.counts, (onto(decoded, beside), beside), strict=True):
            found = (logits.argmax(dim=1) == classes) & known
            both = (found & true).sum(dim=(1, 2, 3))
            sizes = found.sum(dim=(1, 2, 3)) + true.sum(dim=(1, 2, 3))
            row.mul_(KEEP).add_(torch.stack([2 * both, sizes]))

    def dice(self) -> Float[Tensor, "2 k"]:
        """Return the Dice of the decoder and of the U-Net, 0 for a class that was never there."""
        overlaps, sizes = self.counts.detach().unbind(dim=1)
        return overlaps / sizes.clamp_min(LEAST)

    def together(
        self,
        decoded: Float[Tensor, "b k i j"],
        beside: Float[Tensor, "b k h w"],
        *,
        share: float,
        learnt: float,
    ) -> Float[Tensor, "b k h w"]:
        """Return the logarithm of the mean of both softmaxes.

        Of a class that it has not learnt a U-Net only ever says that it is not there. So it is
        asked whether a pixel is of a class that it has learnt or of any other, background
        included; which other, the decoder says.

        Args:
            decoded: logits of the decoder.
            beside: logits of the U-Net.
            share: of the U-Net in the mean.
            learnt: a class is learnt if the U-Net's Dice on what it was trained on is at least so
                many times the decoder's.
        """
        ours, theirs = (part.float().softmax(dim=1) for part in (onto(decoded, beside), beside))
        of_decoder, of_unet = self.dice()
        other = F.pad(of_unet < learnt * of_decoder, (1, 0), value=True)
        if other.sum() > 1:
            within = ours[:, other] / ours[:, other].sum(dim=1, keepdim=True).clamp_min(LEAST)
            theirs[:, other] = theirs[:, other].sum(dim=1, keepdim=True) * within
        return torch.lerp(ours, theirs, share).clamp_min(LEAST).log()


def onto(
    logits: Float[Tensor, "b k i j"], like: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b k h w"]:
    """Return logits on the grid of others."""
    grid = (like.shape[-2], like.shape[-1])
    if (logits.shape[-2], logits.shape[-1]) == grid:
        return logits
    return F.interpolate(logits, grid, mode="bilinear", align_corners=False)
