"""Run a recurrent network on the trials of its task; keep what its units do as a representation."""

import torch

from neurocompare import representation
from neurocompare.jobs import job
from neurocompare.recurrent import storage, trial_runs


def main(snakemake):
    """Run the job."""
    torch.set_num_threads(snakemake.threads)
    with job(snakemake.log[0]):
        trained = storage.load(snakemake.input.weights)
        found = trial_runs.tested(
            trained, snakemake.params.task, network=snakemake.wildcards.network, seed=int(snakemake.wildcards.seed)
        )
        found.attrs["code_sha256"] = snakemake.params.code
        representation.write(found, snakemake.output.trials)


main(snakemake)
