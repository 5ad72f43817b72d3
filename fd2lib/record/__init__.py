"""Record: run folders, manifests, provenance and result rows."""

from fd2lib.ground import file_digest
from fd2lib.record.columns import ATTENTION, GEOMETRY, STUDENTS, TABLES, Column, Table
from fd2lib.record.manifest import RunFolder, content_fingerprint, fingerprint, read_manifest
from fd2lib.record.provenance import describe_device, provenance
from fd2lib.record.results import (
    append_result,
    doubles,
    put_rows,
    read_rows,
    require_single,
    row_identity,
    settings_identity,
)
from fd2lib.record.runs import StageInputs, run_or_load
