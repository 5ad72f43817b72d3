"""Easy classes of ImageNet {cite:p}`howard2019imagenette,russakovsky2015imagenet`.

**Known issues.** Not fine-grained. ImageNet-pretrained networks have seen the images.
"""

from functools import partial

from fd2lib.data.registry import RESEARCH, DatasetInfo, Reader, register_reader, torchvision_set

INFO = DatasetInfo(
    name="imagenette",
    title="ImageNette",
    num_classes=10,
    train_images=9469,
    test_images=3925,
    native_size="full, or 320 or 160 on the shorter side",
    split="official; test is validation",
    licence=f"{RESEARCH} (ImageNet's terms; the lists are Apache-2.0)",
    source="https://github.com/fastai/imagenette",
    citation="Howard 2019, imagenette; Russakovsky et al. 2015, arXiv 1409.0575",
    layout="imagenette/{train,test}/WNID/IMAGE or imagenette2[-320|-160]/{train,val}/",
)
CLASS_NAMES = {
    "n01440764": "tench",
    "n02102040": "English_springer",
    "n02979186": "cassette_player",
    "n03000684": "chain_saw",
    "n03028079": "church",
    "n03394916": "French_horn",
    "n03417042": "garbage_truck",
    "n03425413": "gas_pump",
    "n03445777": "golf_ball",
    "n03888257": "parachute",
}
UNPACKED = ("imagenette2", "imagenette2-320", "imagenette2-160")
download = partial(torchvision_set, "Imagenette", size="320px", download=True)
register_reader(Reader(INFO, __doc__, class_names=CLASS_NAMES, unpacked=UNPACKED, download=download))
