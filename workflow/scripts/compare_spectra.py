"""Compare the spectra of the linearised networks of a study."""

from pathlib import Path

from neurocompare import datasets, identifiers, tables
from neurocompare.dynamics import network_spectra
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    with job(snakemake.log[0]):
        details = []
        for path in snakemake.input.details:
            # results/describe/<network>-seed=<k>/<description>.nc
            network, options = identifiers.parse(Path(path).parent.name)
            details.append((network, int(options["seed"]), datasets.read(path)))
        common = {"study": snakemake.wildcards.study, "code_sha256": snakemake.params.code}
        rows = [row | common for row in network_spectra.compare(details)]
        tables.write(rows, ["study", *network_spectra.COLUMNS], snakemake.output.table)


main(snakemake)
