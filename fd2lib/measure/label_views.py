"""What labels say of the views that they were made for."""

import numpy as np
import torch
from torch import Tensor

from fd2lib.ground import RelabelSettings
from fd2lib.stages.labels import view_labels
from fd2lib.views import plan_epoch


def likeliest_shares(
    settings: RelabelSettings, stored: np.ndarray, labels: Tensor, image_size: int
) -> tuple[float, float]:
    """Return whose class the labels find most likely, as shares of all views in %.

    Args:
        settings: that the labels were made with.
        stored: logits ``[epochs, N, K]``, from :func:`fd2lib.measure.load_labels`.
        labels: true classes of the images ``[N]``.
        image_size: pixels.

    Returns:
        The share of views in which it is the class of the image itself, and that in which it is another one, of the
        image that a box was pasted in from.
    """
    own, pasted = list[Tensor](), list[Tensor]()
    for epoch, rows in enumerate(stored):
        plans = plan_epoch(settings, len(labels), image_size, epoch)
        likeliest = view_labels(settings, torch.from_numpy(np.array(rows)), plans, 1.0).argmax(1)
        image = labels[torch.cat([plan.indices for plan in plans])]
        mixed = [plan.indices if plan.cutmix_box is None else plan.indices[plan.permutation] for plan in plans]
        box = labels[torch.cat(mixed)]
        own.append(likeliest == image)
        pasted.append((likeliest == box) & (box != image))
    return 100 * torch.cat(own).double().mean().item(), 100 * torch.cat(pasted).double().mean().item()
