"""Record: run folders, manifests, provenance and result rows."""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.ground import file_digest
    from fd2lib.record.columns import ATTENTION, BENCH, GEOMETRY, PROFILE, STUDENTS, TABLES, Column, Table
    from fd2lib.record.folders import RunFolder, StageInputs, run_or_load
    from fd2lib.record.manifest import check_up_to, content_fingerprint, find_run, fingerprint, intact, read_manifest
    from fd2lib.record.provenance import describe_device, provenance, reading_provenance, reset_peak_memory
    from fd2lib.record.results import doubles, put_rows, read_rows, require_single, row_identity, settings_identity
    from fd2lib.record.verify import Verified, verify_runs

doors.open_at_first_use(__name__)
