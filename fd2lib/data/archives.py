"""Archives as their authors lay them out, listed by torchvision where it knows them."""

from collections.abc import Callable

from fd2lib.data.listing import Listing

WNIDS: dict[str, str] = {}
READERS: dict[str, Callable[..., Listing | None]] = {
    name: lambda base, download=False: None
    for name in ("cub200", "aircraft", "cars196", "flowers102", "cifar10", "cifar100", "imagenette", "imagewoof")
}
