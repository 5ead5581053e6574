"""Load the published weights of a network, or draw those of an untrained one."""

from pathlib import Path

from neurocompare import locks
from neurocompare.jobs import job
from neurocompare.networks import weights


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        network, seed = snakemake.params.network, int(snakemake.wildcards.seed)
        architecture = network["architecture"]
        if network["random"]:
            state = weights.initialise(architecture, seed)
        else:
            files, _ = locks.verified([Path(path) for path in snakemake.input.files], dict(snakemake.params.sha256))
            state = weights.convert(architecture, next(iter(files.values())))
        metadata = {"architecture": architecture, "training": network["training"], "seed": str(seed)}
        weights.save(state, snakemake.output.weights, metadata)


main(snakemake)
