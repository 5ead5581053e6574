"""Bring the raw files of a recording into the one schema."""

import importlib
from pathlib import Path

from neurocompare import representation
from neurocompare.files import verified
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        checksums = dict(snakemake.params.sha256)
        files = verified([Path(path) for path in snakemake.input.files], checksums)
        loader = importlib.import_module(f"neurocompare.recordings.{snakemake.params.loader}")
        recording = loader.ingest(files, sha256=checksums, **snakemake.params.options)
        representation.write(recording, snakemake.output.recording)


main(snakemake)
