"""SAMed_h: SAMed on SAM's largest encoder, ViT-H, with a steeper decay of the learning rate.

Source: the readme and the code published with Zhang and Liu 2023, arXiv 2304.13785 (MIT). Modules,
head, loss and warm-up are SAMed's.
"""

from __future__ import annotations

from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.low_rank import SAMED_LR, AsSamed, attach_low_rank
from samplar.sam.model import Sam

card = Card(
    name="samed-h",
    title="SAMed on ViT-H, whose learning rate decays early and steeply",
    paper="Zhang and Liu 2023, arXiv 2304.13785, readme of the code",
    plugs_in="encoder, prompt encoder, decoder",
    licence_note="published code is MIT",
    differs=(
        (
            "Any base weights can be chosen.",
            "The published one is ViT-H, which is what it takes if you name none; on another "
            "encoder it is `samed` with the steeper decay.",
        ),
        (
            "The rate reaches 0 at the end of a run.",
            "The published run stops at three quarters of its decay; "
            "`configs/papers/synapse/samed-h.yaml` does so too.",
        ),
    ),
)

LR = SAMED_LR
FIT = {"weights": "sam-vit-h", "training": {"power": 7.0}}
"""As published; a large rate for long makes ViT-H unstable, its authors say."""


class Config(AsSamed):
    """Low-rank placement, head and loss, as SAMed has them."""


def attach(sam: Sam, config: Config, classes: int) -> None:
    """LoRA on q and v of the chosen encoder blocks; prompt encoder and decoder train.

    On SAM ViT-H with 8 classes 5,421,525 numbers train: 655,360 in the encoder, 6,220 in the prompt
    encoder, 4,759,945 in the decoder.
    """
    attach_low_rank(sam, config, classes, decoder_lora=False)


def loss(config: Config) -> LossConfig:
    """Return 0.2 CE + 0.8 Dice."""
    return config.loss
