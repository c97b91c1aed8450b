"""SAM as one module: encode images, decode prompts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.decoder import MaskDecoder
from samplar.sam.guidance import Guidance
from samplar.sam.prompt import PromptEncoder, Prompts
from samplar.sam.tinyvit import TinyViT, TinyViTShape
from samplar.sam.vit import ViT, ViTShape

NO_PROMPT = Prompts()


@dataclass(frozen=True)
class SamShape:
    """The sizes from which a SAM is built; the defaults are LiteMedSAM's."""

    encoder: TinyViTShape | ViTShape = field(default_factory=TinyViTShape)
    decoder_hidden: int = 2048
    mask_tokens: int = 4
    image_size: int = 256  # the size the weights were trained at


def make_encoder(shape: TinyViTShape | ViTShape) -> TinyViT | ViT:
    """Return the image encoder of this shape."""
    return ViT(shape) if isinstance(shape, ViTShape) else TinyViT(shape)


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder with the published parameter names.

    The image is (b, 3, h, w) in the range its weights' card states; both sides are multiples of
    `stride`.
    """

    def __init__(self, shape: SamShape) -> None:
        super().__init__()
        self.shape = shape
        self.image_encoder = make_encoder(shape.encoder)
        self.prompt_encoder = PromptEncoder(shape.encoder.output)
        self.mask_decoder = MaskDecoder(
            shape.encoder.output, mask_tokens=shape.mask_tokens, hidden=shape.decoder_hidden
        )

    @property
    def stride(self) -> int:
        """Input pixels per cell of the embedding."""
        return self.image_encoder.stride

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.mask_decoder.iou_token.weight.device

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d i j"]:
        """Return the image embedding."""
        return self.image_encoder(images)

    def decode(
        self,
        embedding: Float[Tensor, "b d i j"],
        prompts: Prompts = NO_PROMPT,
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "o t r s"], Float[Tensor, "o t"]]:
        """Return mask logits on a grid four times finer than the embedding, and predicted IoU.

        Prompts are in pixels of the encoder's input.
        """
        grid = (embedding.shape[-2], embedding.shape[-1])
        size = (grid[0] * self.stride, grid[1] * self.stride)
        sparse, dense = self.prompt_encoder(prompts, image_size=size, grid=grid)
        place = self.prompt_encoder.pe_layer.grid(*grid)
        return self.mask_decoder(embedding, place, sparse, dense, guidance)
