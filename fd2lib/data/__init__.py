"""Data: the registry of image sets, their readers, and batches that live on the device."""

from fd2lib.data.batches import Batch, batches, resident
from fd2lib.data.cache import cache_folder
from fd2lib.data.folder import check_folder
from fd2lib.data.load import load_dataset
from fd2lib.data.packs import prepare
from fd2lib.data.parts import Parts, SplitParts, load_parts
from fd2lib.data.registry import dataset_info, format_listing, list_datasets
from fd2lib.data.subsets import require_per_class, select_classes
from fd2lib.data.types import Dataset, DatasetInfo, ImageSplit, display_name, image_set_name

__all__ = [
    "Batch",
    "Dataset",
    "DatasetInfo",
    "ImageSplit",
    "Parts",
    "SplitParts",
    "batches",
    "cache_folder",
    "check_folder",
    "dataset_info",
    "display_name",
    "format_listing",
    "image_set_name",
    "list_datasets",
    "load_dataset",
    "load_parts",
    "prepare",
    "require_per_class",
    "resident",
    "select_classes",
]
