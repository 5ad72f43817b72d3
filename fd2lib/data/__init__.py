"""Data: the registry of image sets, their readers, and batches that live on the device."""

import typing

from fd2lib.data import readers  # they register themselves
from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.data.folder import PROBLEM, check_folder, scan_folder
    from fd2lib.data.images import Batch, Dataset, ImageSplit, batches, resident
    from fd2lib.data.listing import Listing, SplitListing, display_name, make_listing
    from fd2lib.data.load import load_dataset
    from fd2lib.data.packs import prepare
    from fd2lib.data.parts import Parts, SplitParts, load_parts
    from fd2lib.data.pixels import cache_folder
    from fd2lib.data.places import image_set_name
    from fd2lib.data.registry import (
        DatasetInfo,
        Reader,
        dataset_info,
        format_card,
        format_listing,
        list_datasets,
        register_reader,
    )
    from fd2lib.data.subsets import require_per_class, select_classes

doors.open_at_first_use(__name__)
