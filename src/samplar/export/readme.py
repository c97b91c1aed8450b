"""The README.md of an export: what is in it, and the lines that load it."""

from __future__ import annotations

from dataclasses import dataclass

from samplar.sam.model import SamShape
from samplar.sam.pixels import PixelRule
from samplar.sam.vit import ViTShape


@dataclass(frozen=True)
class Facts:
    """What a reader of an export has to know besides the tensors.

    Args:
        samplar: version that writes it.
        method: name of the method.
        weights: name of the base weights.
        digest: their SHA-256.
        classes: names of the classes, without background.
        size: side of the square input in pixels.
        pixels: what the weights expect of an image in [0, 1].
        intensity: how grey values become [0, 1], as in `samplar fit --intensity`.
        prompts: what the method is given at test time, "none" or in words.
        roi: side of the window that Samplar sees again, as a share of the longer side, if it does.
    """

    samplar: str
    method: str
    weights: str
    digest: str
    classes: tuple[str, ...]
    size: int
    pixels: PixelRule
    intensity: str
    prompts: str
    roi: float | None = None


def peft(facts: Facts) -> bytes:
    """Return the README of an export for PEFT."""
    count = len(facts.classes)
    return _page(
        facts,
        title="A SAM adapter for PEFT",
        body=f"""
`adapter_config.json` and `adapter_model.safetensors` are the adapter; they load with plain `peft`.
`base/` is the SAM it sits on, for `transformers`: the base weights, with {count + 1} mask tokens
instead of 4 and the position tables of {facts.size} px. Mask tokens, their networks and the quality
head have other shapes than in the base weights where there are other than 3 classes; there the ones
in `base/` are the method's, as they are in the adapter as far as they trained.

```python
import torch
from peft import PeftModel
from transformers import SamModel

model = PeftModel.from_pretrained(SamModel.from_pretrained("./base"), ".").eval()
pixels = torch.zeros(1, 3, {facts.size}, {facts.size})  # see below
with torch.no_grad():
    seen = model.get_image_embeddings(pixels)
    parts = [model(image_embeddings=seen, multimask_output=many) for many in (False, True)]
logits = torch.cat([part.pred_masks[:, 0] for part in parts], dim=1)
```

`SamModel` returns either its first mask, here the background, or all others, hence two calls.
`model.merge_and_unload()` folds the low-rank paths in. `disable_adapter()` is not the base SAM: its
mask tokens are not.
""",
    )


def samed(facts: Facts) -> bytes:
    """Return the README of an export in SAMed's layout."""
    return _page(
        facts,
        title="A SAM adapter for SAMed's own code",
        body=f"""
`samed.pth` and `samed.safetensors` hold the same tensors, as SAMed saves them. SAMed reads the
first, on the base weights named above:

    net.load_lora_parameters("samed.pth")

with --img_size {facts.size} --num_classes {len(facts.classes)}.

SAMed feeds images in [0, 1] without other normalisation; see below for what this adapter has seen.
""",
    )


def merged(facts: Facts, shape: SamShape) -> bytes:
    """Return the README of a merged export; `shape` is that of the SAM in it."""
    encoder = shape.encoder
    how = _original(shape, encoder) if isinstance(encoder, ViTShape) else _TINY
    return _page(
        facts,
        title="A SAM with its adapter merged in",
        body=f"""
`sam.pth` and `sam.safetensors` hold the same tensors, in the layout of the published checkpoints.
{how}""",
    )


_TINY = """The image encoder is a TinyViT, as in MobileSAM and LiteMedSAM; build it with their code,
and the mask decoder with one multimask output per class.
"""


def _original(shape: SamShape, encoder: ViTShape) -> str:
    return f"""
```python
import torch
from functools import partial
from segment_anything.modeling import (
    ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
)

sam = Sam(
    image_encoder=ImageEncoderViT(
        img_size={shape.image_size}, patch_size={encoder.patch}, embed_dim={encoder.width},
        depth={encoder.depth}, num_heads={encoder.heads}, mlp_ratio=4, qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), use_rel_pos=True,
        global_attn_indexes={encoder.global_blocks}, window_size={encoder.window},
        out_chans={encoder.output},
    ),
    prompt_encoder=PromptEncoder(
        embed_dim={encoder.output}, image_embedding_size=({encoder.grid}, {encoder.grid}),
        input_image_size=({shape.image_size}, {shape.image_size}), mask_in_chans=16,
    ),
    mask_decoder=MaskDecoder(
        num_multimask_outputs={shape.mask_tokens - 1}, transformer_dim={encoder.output},
        transformer=TwoWayTransformer(
            depth=2, embedding_dim={encoder.output}, mlp_dim={shape.decoder_hidden}, num_heads=8
        ),
        iou_head_depth=3, iou_head_hidden_dim={encoder.output},
    ),
)
sam.load_state_dict(torch.load("sam.pth", weights_only=True))
sam.eval()
pixels = torch.zeros(1, 3, {shape.image_size}, {shape.image_size})  # see below
with torch.no_grad():
    sparse, dense = sam.prompt_encoder(points=None, boxes=None, masks=None)
    logits, _ = sam.mask_decoder.predict_masks(
        image_embeddings=sam.image_encoder(pixels),
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )
```

With 3 classes at 1024 px `segment_anything.sam_model_registry` builds it as well.
"""


_PROMPTED = """ Samplar's own predictions with this adapter differ: they use {prompts}, which no
export holds."""


_TWO_LOOKS = """

`samplar predict` shows it every slice twice: whole, and then a window around what it found, whose
side is {share:.0%} of the longer side. The second result is the better one; these files hold the
model and not that procedure."""


def _page(facts: Facts, *, title: str, body: str) -> bytes:
    names = "\n".join(f"- {number}: {name}" for number, name in enumerate(facts.classes, start=1))
    mean, std = facts.pixels.mean, facts.pixels.std
    prompted = "" if facts.prompts == "none" else _PROMPTED.format(prompts=facts.prompts)
    looks = "" if facts.roi is None else _TWO_LOOKS.format(share=facts.roi)
    return f"""# {title}

Method `{facts.method}` on base weights `{facts.weights}` (sha256 {facts.digest}), exported by
samplar {facts.samplar}.
{body}
## What goes in

A (b, 3, {facts.size}, {facts.size}) image: grey values to [0, 1] ({facts.intensity}), grey
repeated to three channels, the longer side scaled to {facts.size} px, zeros added right and below,
then (x - mean) / std with mean {mean} and std {std}.
No prompt.{prompted}{looks}

## What comes out

Logits (b, {len(facts.classes) + 1}, h, w) on a grid four times finer than the embedding: 0 is the
background, the largest wins. The predicted IoU means nothing unless the method trained it.

{names}

Not a medical device. For research only.
""".encode()
