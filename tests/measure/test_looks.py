"""What a teacher says image by image, and what a set is near to."""

import pytest
import torch

from fd2lib.data import load_dataset
from fd2lib.measure import Space, attention_maps, class_vectors, look, maps_of_both
from fd2lib.stages import DistilledImages


def test_a_look_is_the_heads_where_there_is_one(teacher, images):
    teacher.train()
    seen = look(teacher, images, batch_size=4)
    assert teacher.training and seen.has_head is (teacher.head is not None)
    teacher.eval()
    out = teacher(teacher.normalize(images.float() / 255))
    head = out.attention
    expected = out.features.mean(1) if head is None else head.attention_maps.mean(1)
    assert torch.allclose(seen.attention, expected, atol=1e-5)
    assert torch.allclose(seen.logits, out.logits if head is None else head.logits, atol=1e-5)
    assert torch.allclose(seen.features, out.features.mean((2, 3)), atol=1e-5)
    assert torch.equal(seen.predicted, seen.logits.argmax(1))


def test_no_images_are_no_answers(teacher, images):
    seen = look(teacher, images[:0])
    assert len(seen.logits) == len(seen.attention) == 0


def test_classes_are_prototypes_or_mean_features(teacher):
    data = load_dataset("plumage", size=32, classes="4", train_per_class=1, test_per_class=2)
    vectors = class_vectors(teacher, data.test, 4)
    if teacher.prototypes is not None:
        assert torch.equal(vectors, teacher.prototypes.unit())
        return
    features = look(teacher, data.test.images).features
    assert torch.allclose(vectors[2], features[data.test.labels == 2].mean(0), atol=1e-5)


def test_maps_of_both_teachers_have_titles(images, labels, plain_teacher, cal_teacher):
    maps = maps_of_both(plain_teacher, cal_teacher, images, labels)
    assert [title.split(":")[0] for title in maps] == ["plain", "CAL", "CAL", "plain", "CAL"]
    expected = attention_maps(cal_teacher, images, labels)["head_attention"]
    assert torch.equal(maps["CAL: attention of the head"], expected)


def test_neighbours_stand_beside_an_image():
    data = load_dataset("plumage", size=16, classes="4", train_per_class=3, test_per_class=1)
    images, labels = data.train.images, data.train.labels
    space = Space("pixels", "", data)
    found = space.neighbours(DistilledImages(images[:4], images[4:8], labels[:4], data.classes), limit=2)
    assert found.pictures.shape == (2, 4, 3, 16, 16) and found.labels.tolist() == [0, 3]
    first = [int((labels[:4] == label).nonzero()[0, 0]) for label in found.labels]
    assert torch.equal(found.pictures[:, 0], images[first])
    assert torch.equal(found.pictures[:, 1], images[[4 + place for place in first]])
    assert found.distances[:, 1:].tolist() == [[0, 0], [0, 0]]  # each finds itself
    assert space.measure(images, images, labels)["copies"] == 100
    assert space.reference["real_nearest"] == pytest.approx(space.real_nearest.distance.mean().item())
