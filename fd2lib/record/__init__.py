"""Record: run folders, manifests, provenance and result rows."""

from fd2lib.record.manifest import RunFolder, content_fingerprint, file_digest, fingerprint, read_manifest
from fd2lib.record.provenance import describe_device, provenance
from fd2lib.record.results import COLUMNS, append_result, put_rows, read_results
from fd2lib.record.runs import StageInputs, run_or_load

__all__ = [
    "COLUMNS",
    "RunFolder",
    "StageInputs",
    "append_result",
    "content_fingerprint",
    "describe_device",
    "file_digest",
    "fingerprint",
    "provenance",
    "put_rows",
    "read_manifest",
    "read_results",
    "run_or_load",
]
