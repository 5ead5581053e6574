"""Run a network on stimuli; keep the inner products of all layers."""

import torch

from neurocompare import datasets
from neurocompare.jobs import job
from neurocompare.networks import activations, definition


def main(snakemake):
    """Run the job."""
    torch.set_num_threads(snakemake.threads)
    with job(snakemake.log[0]):
        entry = snakemake.params.network
        network, inputs, identity = definition.prepared(entry, snakemake.input.images, list(snakemake.input.weights))
        grams = activations.grams(network, inputs, batch=entry["batch"], block=entry["block"])
        identity |= {"network": snakemake.wildcards.network, "code_sha256": snakemake.params.code}
        grams = grams.assign_attrs(identity).assign_coords(seed=int(snakemake.wildcards.seed))
        datasets.write(grams, snakemake.output.grams)


main(snakemake)
