"""Gather the tables of a study into one."""

import pandas as pd

from neurocompare import tables
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        columns = getattr(tables, snakemake.params.columns)
        parts = [tables.read(path) for path in snakemake.input.tables]
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        table.insert(0, "study", snakemake.wildcards.study)
        tables.write(table, ["study", *columns], snakemake.output.table)


main(snakemake)
