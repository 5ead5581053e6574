"""Draw how recurrent networks learnt."""

import pandas as pd

from neurocompare.figures import learning
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        curves = pd.concat([pd.read_csv(path, sep="\t") for path in snakemake.input.curves], ignore_index=True)
        learning.draw(curves, dict(snakemake.params.titles), snakemake.output.figure)


main(snakemake)
