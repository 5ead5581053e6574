"""Concatenate a table over the default studies."""

import pandas as pd

from neurocompare import tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        parts = [tables.read(path) for path in snakemake.input.tables]
        table = pd.concat(parts, ignore_index=True)
        tables.write(table, list(parts[0].columns), snakemake.output.table)


main(snakemake)
