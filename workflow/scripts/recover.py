"""Try a measure on populations whose generator is known."""

import xarray as xr

from neurocompare import recovery, representation, tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        generators = [representation.read(path) for path in snakemake.input.generators]
        loaded = [xr.load_dataset(path, engine="h5netcdf") for path in snakemake.input.candidates]
        candidates = {
            name: xr.concat([s for s in loaded if s.attrs["network"] == name], "seed", combine_attrs="drop_conflicts")
            for name in snakemake.params.recovery["candidates"]
        }
        options = snakemake.params.recovery["options"]
        rows = recovery.recover(generators, candidates, snakemake.wildcards.measure, **options)
        labels = {"recovery": snakemake.wildcards.recovery, "code_sha256": snakemake.params.code}
        tables.write([row | labels for row in rows], tables.RECOVERIES, snakemake.output.table)


main(snakemake)
