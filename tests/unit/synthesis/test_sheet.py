from __future__ import annotations

import torch

from samplar.synthesis.draw import Affine, Draw, Move, Warp
from samplar.synthesis.sheet import STEP, Sheet, order
from samplar.synthesis.stock import prepare


def test_pieces_start_with_whole_vectors_and_do_not_overlap():
    sheet = Sheet()
    first, second, third = (sheet.piece(*shape, layer=0) for shape in ((9, 9), (8, 8), (1, 3)))
    assert [piece.reserved for piece in (first, second, third)] == [
        slice(0, 2 * STEP), slice(2 * STEP, 3 * STEP), slice(3 * STEP, 4 * STEP),
    ]  # fmt: skip
    assert sheet.size == 4 * STEP


def test_a_piece_is_a_view_of_its_part_of_the_planes():
    sheet = Sheet()
    sheet.piece(2, 3, layer=0)
    piece = sheet.piece(3, 4, layer=0)
    planes = torch.arange(2.0 * sheet.size).view(2, -1)
    part = piece.of(planes)
    assert torch.equal(part[1].flatten(), planes[1, STEP : STEP + 12])
    part[0, 2, 3] = -1
    assert planes[0, STEP + 11] == -1


def test_an_image_reserves_its_scene_and_the_cut_outs_that_can_be_seen(phantom):
    stock = prepare(phantom(count=2, classes=3), classes=9)
    away = Warp(affine=Affine(shift=(500, 0)))
    moves = (Move(classes=(1,)), Move(classes=(7,)), Move(classes=(2,), warp=away))
    draw = Draw(exemplar=1, background="cross_clean", donor=0, moves=moves)
    sheet = Sheet()
    wanted = order(draw, stock, sheet)
    assert [cut.move for cut in wanted.cuts] == [moves[0]]
    assert [piece.layer for piece in sheet.pieces] == [2, 1]  # cleaned 0 comes after both
    assert wanted.backdrop is wanted.scene
    reflected = order(draw.model_copy(update={"border": "reflect"}), stock, sheet)
    assert reflected.backdrop is not reflected.scene
