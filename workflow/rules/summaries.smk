"""Tables that sum the scores of a study up."""


rule collect_warnings:
    input:
        scores="results/tables/{study}/scores.tsv",
    output:
        table=report(
            "results/tables/{study}/warnings.tsv",
            caption="../report/warnings.rst",
            category="Tables",
            labels={"study": "{study}", "table": "warnings"},
        ),
    log:
        "results/logs/collect_warnings/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("collect_warnings"),
    script:
        "../scripts/collect_warnings.py"


rule summarise_multiverse:
    input:
        contrasts="results/tables/{study}/contrasts.tsv",
    output:
        table=report(
            "results/tables/{study}/multiverse.tsv",
            caption="../report/multiverse_table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "multiverse"},
        ),
    log:
        "results/logs/summarise_multiverse/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        conclusion=conclusion,
        recordings=alternatives,
        code=code("summarise_multiverse"),
    script:
        "../scripts/summarise_multiverse.py"


rule compare_bounds:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
    output:
        table=report(
            "results/tables/{study}/bounds.tsv",
            caption="../report/bounds.rst",
            category="Tables",
            labels={"study": "{study}", "table": "bounds"},
        ),
    log:
        "results/logs/compare_bounds/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        bounds=study_bounds,
        code=code("compare_bounds"),
    script:
        "../scripts/compare_bounds.py"
