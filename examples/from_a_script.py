"""fd2lib from a script of your own: a teacher, distilled images, and soft labels for a batch that you augmented.

Try it: ``python examples/from_a_script.py`` (toy scale, a minute or two on two cores; the second time, seconds).
Words after it are laid over the recipe: ``python examples/from_a_script.py pretrain.epochs=5 distill.iterations=20``
"""

import sys

import torch
from torchvision.transforms import v2

from fd2lib.data import load_dataset
from fd2lib.ground import load_recipe
from fd2lib.models import Teacher
from fd2lib.record import run_or_load
from fd2lib.stages import DistillInputs, PretrainInputs, load_distilled, run_distill, run_pretrain, soft_labels, to_unit

# A recipe, images, a trained teacher and a distilled set; what is below runs/ already is loaded.
recipe = load_recipe("toy", dataset="plumage", method="sre2lpp_fd2", ipc=3, overrides=" ".join(sys.argv[1:]))
data = load_dataset("plumage", size=48)
trained = run_or_load(run_pretrain, recipe.pretrain, PretrainInputs(data), "runs")
made = run_or_load(run_distill, recipe.distill, DistillInputs(data, [trained.folder]), "runs")

# A batch as your own student would see it, and what the teacher says of exactly these pixels.
augment = v2.Compose(
    [v2.RandomResizedCrop(data.image_size, scale=(0.25, 1)), v2.RandomHorizontalFlip(), v2.GaussianBlur(3)]
)
batch = torch.stack([augment(image) for image in to_unit(load_distilled(made.folder).images)])
labels = soft_labels(Teacher.load(trained.folder), batch)

print(f"{len(batch)} images {list(batch.shape[1:])}, their logits {list(labels.shape)}")
