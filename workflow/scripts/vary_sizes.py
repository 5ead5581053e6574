"""Score all layers and seeds of one network on subsets of the units and stimuli of one recording."""

import xarray as xr

from neurocompare import datasets, representation, sizes, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        recording = representation.read(snakemake.input.recording)
        seeds = [datasets.read(path) for path in snakemake.input.grams]
        control = [datasets.read(path) for path in snakemake.input.control]
        weights = {int(seed["seed"]): seed.attrs["weights_sha256"] for seed in seeds}
        rows = sizes.vary(
            recording,
            xr.concat(seeds, dim="seed", combine_attrs="drop_conflicts"),
            snakemake.wildcards.measure,
            name=snakemake.wildcards.recording,
            network=snakemake.wildcards.network,
            control=control[0].expand_dims("seed") if control else None,
        )
        code = tables.code_sha256(snakemake.params.code, recording, *seeds, *control)
        rows = [row | {"weights_sha256": weights[row["seed"]], "code_sha256": code} for row in rows]
        tables.write(rows, tables.SIZES, snakemake.output.table)


main(snakemake)
