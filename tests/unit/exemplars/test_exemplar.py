from __future__ import annotations

import hashlib

import numpy as np

from samplar.exemplars.exemplar import Exemplar, ExemplarSet, digest_of
from samplar.io.labels import LabelSet

IMAGE = np.linspace(0, 1, 24, dtype=np.float32).reshape(3, 2, 4)
LABELS = np.array([[0, 1, 2, 255], [0, 0, 1, 1]], dtype=np.uint8)


def exemplar(image=IMAGE, labels=LABELS, number=4):
    return Exemplar.of(case="a", subject="ann", number=number, image=image, labels=labels)


def test_digest_is_sha256_over_shapes_grey_values_and_labels():
    text = b"((3, 2, 4), (2, 4))" + IMAGE.tobytes() + LABELS.tobytes()
    assert digest_of(IMAGE, LABELS) == hashlib.sha256(text).hexdigest()


def test_digest_does_not_depend_on_memory_layout_or_byte_order():
    assert digest_of(np.asfortranarray(IMAGE), LABELS) == digest_of(IMAGE, LABELS)
    assert digest_of(IMAGE.astype(">f4"), LABELS) == digest_of(IMAGE, LABELS)


def test_digest_changes_with_a_grey_value_a_label_or_the_shape():
    other_image, other_labels = IMAGE.copy(), LABELS.copy()
    other_image[0, 0, 0] += 1e-6
    other_labels[0, 0] = 1
    turned = digest_of(IMAGE.reshape(3, 4, 2), LABELS.reshape(4, 2))
    digests = {
        digest_of(IMAGE, LABELS),
        digest_of(other_image, LABELS),
        digest_of(IMAGE, other_labels),
        turned,
    }
    assert len(digests) == 4


def test_set_digest_follows_order_and_class_names():
    other = exemplar(labels=LABELS[::-1])
    labels = LabelSet(("liver", "tumour"), (1, 2))
    one = ExemplarSet.of([exemplar(), other], labels)
    assert len(one) == 2
    assert one.exemplars[0].slice == 4
    assert one.digest == ExemplarSet.of((exemplar(), other), labels).digest
    assert one.digest != ExemplarSet.of([other, exemplar()], labels).digest
    renamed = LabelSet(("liver", "cyst"), (1, 2))
    assert one.digest != ExemplarSet.of([exemplar(), other], renamed).digest
