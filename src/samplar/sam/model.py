"""SAM as one module: encode images, decode prompts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.errors import UsageError
from samplar.sam.decoder import MaskDecoder
from samplar.sam.guidance import Guidance
from samplar.sam.pixels import UNIT, PixelRule, PixelScale
from samplar.sam.prompt import PromptEncoder, Prompts
from samplar.sam.tinyvit import TinyViT, TinyViTShape
from samplar.sam.unfilled import Unfilled
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

    The image is (b, 3, h, w) in [0, 1]; both sides are multiples of `stride`. What the weights
    expect of its pixels is `pixels`, part of the model but of no checkpoint.
    """

    def __init__(self, shape: SamShape, pixels: PixelRule = UNIT) -> None:
        super().__init__()
        self.shape = shape
        self.pixels = PixelScale(pixels)
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

    @property
    def padding(self) -> Float[Tensor, "3 1 1"]:
        """The colour, in [0, 1], of what a frame shows beside the image.

        SAM pads with zeros after subtracting its mean, so its padding has the mean's colour.
        """
        return self.pixels.mean

    def steps(self) -> list[tuple[str, nn.Module]]:
        """Return the parts from image to embedding in forward order, with their names."""
        scale = [] if self.pixels.rule == UNIT else [("pixels", self.pixels)]
        encoder = [(f"image_encoder.{name}", step) for name, step in self.image_encoder.steps()]
        return [*scale, *encoder]

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d i j"]:
        """Return the image embedding."""
        x = images
        for _, step in self.steps():
            x = step(x)
        return x

    def check_size(self, size: int) -> str | None:
        """Return a line for the user where inputs of this side need other position tables.

        Raises:
            UsageError: `config.size`, when the encoder cannot cut such an input into its cells.
        """
        if size % self.stride:
            lower = max(size // self.stride, 1) * self.stride
            raise UsageError(
                f"size = {size}, but this encoder needs a multiple of {self.stride} pixels",
                fix=f"Use {lower} or {lower + self.stride}",
                code="config.size",
            )
        encoder, grid = self.shape.encoder, size // self.stride
        if not isinstance(encoder, ViTShape) or grid == encoder.grid:
            return None
        return (
            f"the encoder's position tables, made for {encoder.grid} x {encoder.grid} cells, are "
            f"resized to {grid} x {grid}"
        )

    def decode(
        self,
        embedding: Float[Tensor, "b d i j"],
        prompts: Prompts = NO_PROMPT,
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "o t r s"], Float[Tensor, "o t"]]:
        """Return mask logits on a grid four times finer than the embedding, and predicted IoU.

        Prompts are in pixels of the encoder's input.
        """
        return self.decode_encoded(embedding, *self.encode_prompts(prompts, embedding), guidance)

    def encode_prompts(
        self, prompts: Prompts, embedding: Float[Tensor, "b d i j"]
    ) -> tuple[Float[Tensor, "p n d"], Float[Tensor, "p d i j"]]:
        """Return the sparse tokens and the dense map of prompts about images so embedded."""
        grid = (embedding.shape[-2], embedding.shape[-1])
        size = (grid[0] * self.stride, grid[1] * self.stride)
        return self.prompt_encoder(prompts, image_size=size, grid=grid)

    def decode_encoded(
        self,
        embedding: Float[Tensor, "b d i j"],
        sparse: Float[Tensor, "p n d"],
        dense: Float[Tensor, "p d i j"],
        guidance: Guidance | None = None,
    ) -> tuple[Float[Tensor, "o t r s"], Float[Tensor, "o t"]]:
        """Do what `decode` does, with prompts that are encoded already."""
        place = self.prompt_encoder.pe_layer.grid(embedding.shape[-2], embedding.shape[-1])
        return self.mask_decoder(embedding, place, sparse, dense, guidance)


def empty_sam(shape: SamShape, pixels: PixelRule = UNIT) -> Sam:
    """Return a SAM whose tensors have names and shapes but no numbers and no memory."""
    with torch.device("meta"), Unfilled():
        return Sam(shape, pixels)
