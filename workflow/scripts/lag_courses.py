"""Score a network against a course at every pair of times."""

import xarray as xr

from neurocompare import datasets, representation, tables
from neurocompare.courses import lags
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        course = representation.read(snakemake.input.recording)
        seeds = [datasets.read(path) for path in snakemake.input.grams]
        weights = {int(seed["seed"]): seed.attrs["weights_sha256"] for seed in seeds}
        rows = lags.lagged(
            course,
            xr.concat(seeds, dim="seed", combine_attrs="drop_conflicts"),
            snakemake.wildcards.measure,
            name=snakemake.wildcards.recording,
            network=snakemake.wildcards.network,
        )
        code = tables.code_sha256(snakemake.params.code, course, *seeds)
        rows = [row | {"weights_sha256": weights[row["seed"]], "code_sha256": code} for row in rows]
        tables.write(rows, tables.LAGS, snakemake.output.table)


main(snakemake)
