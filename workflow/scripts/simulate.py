"""Simulate a recording, and store its truth beside it."""

from neurocompare import datasets, representation, tables
from neurocompare.errors import check_options
from neurocompare.jobs import job
from neurocompare.recordings import simulated


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        options = dict(snakemake.params.options)
        check_options(simulated.orientation, options, f"recording '{snakemake.wildcards.recording}'")
        recording, truth = simulated.orientation(**options)
        datasets.write(truth, snakemake.output.truth)
        representation.write(tables.declared(recording, options, snakemake.params.code), snakemake.output.recording)


main(snakemake)
