"""Bring the raw files of a recording into the one schema."""

import importlib
from pathlib import Path

from neurocompare import locks, representation, tables
from neurocompare.errors import check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        checksums = dict(snakemake.params.sha256)
        loader = importlib.import_module(f"neurocompare.recordings.{snakemake.params.loader}")
        paths = [Path(path) for path in snakemake.input.files]
        files, digests = locks.verified(paths, checksums, first_sight=not getattr(loader, "PICKLED", False))
        about = dict(snakemake.params.about, sha256=digests)
        options = dict(snakemake.params.options, about=about)
        check_options(loader.ingest, options, f"recording '{snakemake.wildcards.recording}'")
        recording = tables.declared(
            loader.ingest(files, **options), dict(snakemake.params.options), snakemake.params.code
        )
        representation.write(recording, snakemake.output.recording)


main(snakemake)
