"""Bring what was shown into images that networks can see."""

import importlib
from pathlib import Path

from neurocompare.files import verified, written
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        module = importlib.import_module(snakemake.params.module)
        files = verified([Path(path) for path in snakemake.input.files], dict(snakemake.params.sha256))
        images = module.stimuli(files, **snakemake.params.options)
        with written(snakemake.output.images) as temporary:
            images.to_dataset(name="image").to_netcdf(temporary, engine="h5netcdf")


main(snakemake)
