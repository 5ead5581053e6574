"""Bring what was shown into images that networks can see."""

import importlib
from pathlib import Path

from neurocompare import datasets, locks
from neurocompare.errors import check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        module = importlib.import_module(snakemake.params.module)
        files, _ = locks.verified([Path(path) for path in snakemake.input.files], dict(snakemake.params.sha256))
        options = dict(snakemake.params.options)
        check_options(module.stimuli, options, f"stimuli '{snakemake.wildcards.stimuli}'")
        images = module.stimuli(files, **options)
        datasets.write(images.to_dataset(name="image"), snakemake.output.images)


main(snakemake)
