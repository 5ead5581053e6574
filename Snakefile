"""How alike are the representations in a brain and in an artificial network?

`snakemake --cores N` builds the studies that config/config.yaml names; `snakemake --cores N STUDY`
builds one. Catalogues and studies are in config/, the rules in workflow/rules/, the science in
workflow/neurocompare/.
"""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, str(Path(workflow.snakefile).parent / "workflow"))
# Jobs shall run the library beside this file, of which they carry the digest, whatever else is installed.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [sys.path[0], os.environ.get("PYTHONPATH")])))


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs_recordings.smk"
include: "workflow/rules/inputs_allensdk.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/inputs_describe.smk"
include: "workflow/rules/inputs_scores.smk"
include: "workflow/rules/inputs_calibration.smk"
include: "workflow/rules/inputs_encode.smk"
include: "workflow/rules/inputs_recurrent.smk"
include: "workflow/rules/inputs_courses.smk"


report: "workflow/report/workflow.rst"


wildcard_constraints:
    recording=one_of(RECORDINGS),
    stimuli=one_of(CATALOGUE.stimuli),
    network=one_of(CATALOGUE.networks),
    study=one_of(CATALOGUE.studies),
    recovery=one_of(CATALOGUE.recoveries),
    source="[A-Za-z0-9_]+",
    seed="[0-9]+",
    layer="[A-Za-z0-9_]+",
    measure="[a-z][^/]*",
    description="[a-z][^/]*",


include: "workflow/rules/recordings.smk"
include: "workflow/rules/allensdk.smk"
include: "workflow/rules/networks.smk"
include: "workflow/rules/recurrent.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/summaries.smk"
include: "workflow/rules/sizes.smk"
include: "workflow/rules/courses.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/figures_scores.smk"
include: "workflow/rules/figures_recordings.smk"
include: "workflow/rules/figures_encoding.smk"
include: "workflow/rules/figures_decoding.smk"
include: "workflow/rules/figures_parts.smk"
include: "workflow/rules/figures_recurrent.smk"


rule all:
    default_target: True
    input:
        [study_results(study) for study in config["studies"]],
        "results/tables/scores.tsv",
        "results/tables/descriptions.tsv",
    localrule: True


for study in CATALOGUE.studies:

    rule:
        name:
            study
        input:
            study_results(study),
        localrule: True
