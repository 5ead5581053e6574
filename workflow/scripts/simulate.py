"""Simulate a recording, and store its truth beside it."""

from neurocompare import representation
from neurocompare.files import written
from neurocompare.jobs import job
from neurocompare.recordings import simulated


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        recording, truth = simulated.orientation(**snakemake.params.options)
        with written(snakemake.output.truth) as temporary:
            truth.to_netcdf(temporary, engine="h5netcdf")
        representation.write(recording, snakemake.output.recording)


main(snakemake)
