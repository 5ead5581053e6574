"""Simulate a recording, and store its truth beside it."""

import importlib

from neurocompare import datasets, representation, tables
from neurocompare.errors import check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        options = dict(snakemake.params.options)
        loader = importlib.import_module(f"neurocompare.recordings.{snakemake.params.loader}")
        check_options(loader.simulate, options, f"recording '{snakemake.wildcards.recording}'")
        recording, truth = loader.simulate(**options)
        datasets.write(truth, snakemake.output.truth)
        representation.write(tables.declared(recording, options, snakemake.params.code), snakemake.output.recording)


main(snakemake)
