"""Bring what was shown into images that networks can see."""

import importlib
from pathlib import Path

from neurocompare import datasets, locks
from neurocompare.errors import UserError, check_options
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        name = snakemake.wildcards.stimuli
        module = importlib.import_module(snakemake.params.module)
        if not hasattr(module, "stimuli"):
            raise UserError(f"stimuli '{name}': {module.__name__} has no images; name another recording or a renderer")
        files, _ = locks.verified([Path(path) for path in snakemake.input.files], dict(snakemake.params.sha256))
        for path in snakemake.input.export:
            # A result, not a raw file: what it was made from has been checked.
            files["export.h5"] = Path(path)
        options = dict(snakemake.params.options)
        check_options(module.stimuli, options, f"stimuli '{name}'")
        images = module.stimuli(files, **options)
        datasets.write(images.to_dataset(name="image"), snakemake.output.images)


main(snakemake)
