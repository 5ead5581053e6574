"""Run a network on stimuli; keep the features of one layer as a representation."""

import torch

from neurocompare import representation
from neurocompare.jobs import job
from neurocompare.networks import activations, definition


def main(snakemake):
    """Run the job."""
    torch.set_num_threads(snakemake.threads)
    with job(snakemake.log[0]):
        entry, layer = snakemake.params.network, snakemake.wildcards.layer
        network, inputs, identity = definition.prepared(entry, snakemake.input.images, list(snakemake.input.weights))
        identity["code_sha256"] = snakemake.params.code
        values = activations.features(network, inputs, layer, batch=entry["batch"])
        labels = {"network": snakemake.wildcards.network, "seed": snakemake.wildcards.seed, "layer": layer}
        representation.write(definition.representation_of(values, inputs, labels, identity), snakemake.output.features)


main(snakemake)
