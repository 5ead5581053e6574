"""Bring an export of the Allen SDK into the one schema."""

import importlib
from pathlib import Path

from neurocompare import representation, tables
from neurocompare.errors import check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        loader = importlib.import_module(f"neurocompare.recordings.{snakemake.params.loader}")
        # The loader finds the checksums of the original files in the export.
        options = dict(snakemake.params.options, about=dict(snakemake.params.about))
        check_options(loader.ingest, options, f"recording '{snakemake.wildcards.recording}'")
        recording = loader.ingest({"export.h5": Path(snakemake.input.export)}, **options)
        representation.write(
            tables.declared(recording, dict(snakemake.params.options), snakemake.params.code),
            snakemake.output.recording,
        )


main(snakemake)
