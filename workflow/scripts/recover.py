"""Try a measure on populations whose generator is known."""

from neurocompare import datasets, recovery, representation, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        generators = [representation.read(path) for path in snakemake.input.generators]
        options = dict(snakemake.params.recovery["options"])
        layers = snakemake.params.recovery["candidates"]
        candidates = {
            network: recovery.candidate(datasets.read(path), layer, network)
            for (network, layer), path in zip(layers.items(), snakemake.input.candidates, strict=True)
        }
        rows = recovery.recover(generators, candidates, snakemake.wildcards.measure, **options)
        code = tables.code_sha256(snakemake.params.code, *generators, *candidates.values())
        labels = {"recovery": snakemake.wildcards.recovery, "code_sha256": code}
        tables.write([row | labels for row in rows], tables.RECOVERIES, snakemake.output.table)


main(snakemake)
