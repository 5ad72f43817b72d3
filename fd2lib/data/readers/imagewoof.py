"""Dog breeds of ImageNet {cite:p}`howard2019imagenette,russakovsky2015imagenet`.

**Known issues.** ImageNet-pretrained networks have seen the images, so accuracies with such weights flatter. Breeds
in ImageNet have label errors.
"""

from dataclasses import replace
from functools import partial

from fd2lib.data.readers import imagenette
from fd2lib.data.registry import Reader, fetch_archive, register_reader

INFO = replace(
    imagenette.INFO,
    name="imagewoof",
    title="ImageWoof",
    train_images=9025,
    test_images=3929,
    layout="imagewoof/{train,test}/WNID/IMAGE or imagewoof2[-320|-160]/{train,val}/",
)
CLASS_NAMES = {
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian_ridgeback",
    "n02088364": "beagle",
    "n02089973": "English_foxhound",
    "n02093754": "Border_terrier",
    "n02096294": "Australian_terrier",
    "n02099601": "golden_retriever",
    "n02105641": "Old_English_sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}
ADDRESS = "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-320.tgz"
UNPACKED = ("imagewoof2", "imagewoof2-320", "imagewoof2-160")
download = partial(fetch_archive, ADDRESS, "af65be7963816efa949fa3c3b4947740")
PACKS = {  # the copies whose shorter side has 128 pixels
    "train.tar": "55d1318fe50f64c07dd2338d94f3ca980c726a4f18386257e7f62c24ac5b1313",
    "test.tar": "c55345813d33edf7f5430c6fb183878b860e8dddbec4ad0feecc87df0b39d3ed",
    "metadata.tar.gz": "b1c5463ab8d207e997b9f0ef71422c48e62aa43e9e08c2113819a02ba9bfe213",
}
register_reader(Reader(INFO, __doc__, class_names=CLASS_NAMES, unpacked=UNPACKED, download=download, packs=PACKS))
