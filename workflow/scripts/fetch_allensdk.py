"""Fetch the files of experiments of the Allen Institute, and check them against their locks."""

import json
import sys
from pathlib import Path

from neurocompare import allensdk
from neurocompare.files import written
from neurocompare.jobs import job


def main(snakemake):
    """Run the job."""
    limit = snakemake.config.get("largest_download_gb")
    with job(snakemake.log[0]):
        path = Path(snakemake.output.experiments)
        experiments = allensdk.fetch(
            Path(snakemake.input.environment).with_suffix(""),
            path.parents[1],
            dict(snakemake.params.request),
            about=dict(snakemake.params.about),
            # Not a parameter: another limit makes no file another one.
            limit=int(1e9 * limit) if limit else None,
            log=lambda line: print(line, file=sys.stderr),
        )
        with written(path) as temporary:
            temporary.write_text(json.dumps(experiments, indent=1) + "\n", encoding="utf-8")


main(snakemake)
