"""Whether what is to be distilled fits into memory, known from settings before anything is computed."""

import torch

from fd2lib.ground import DistillSettings, require_memory
from fd2lib.stages.optimise import plan_phases

# Float32 tensors of the images' size that a step holds at least: images, gradient, Adam's two moments, the view.
STEP_TENSORS = 5


def require_room(settings: DistillSettings, num_classes: int, image_size: int, device: torch.device) -> None:
    """Refuse images of ``image_size`` px that cannot fit into memory: all of them, or those of one step.

    Raises:
        SettingError: images and their starts need more than the machine has, or a step at its largest size more than
            the device.
    """
    many = settings.ipc * num_classes
    what = f"distilling {settings.ipc:,} images for each of {num_classes} classes at {image_size} px"
    require_memory(many * 2 * 3 * image_size**2, what, "ask for a lower ipc")
    if settings.iterations:
        size = max(phase.size for phase in plan_phases(settings, image_size))
        count = min(num_classes, settings.chunk_classes)
        needed = STEP_TENSORS * 4 * count * 3 * size**2
        what, remedy = f"optimising {count} images at {size:,} px", "lower distill.phases or distill.chunk_classes"
        require_memory(needed, what, remedy, device)
