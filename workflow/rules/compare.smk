"""Similarity of recordings and networks, and the tables that gather it."""


rule compare:
    input:
        recording="results/ingest/{recording}.nc",
        grams=compared_grams,
        control=control_grams,
    output:
        scores="results/compare/{recording}/{network}/{measure}.tsv",
        draws="results/compare/{recording}/{network}/{measure}.nc",
    log:
        "results/logs/compare/{recording}/{network}/{measure}.log",
    benchmark:
        "results/benchmarks/compare/{recording}/{network}/{measure}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        code=compare_code,
    script:
        "../scripts/compare.py"


rule gather_scores:
    input:
        tables=study_scores,
    output:
        table=report(
            "results/tables/{study}/scores.tsv",
            caption="../report/scores.rst",
            category="Tables",
            labels={"study": "{study}", "table": "scores"},
        ),
    log:
        "results/logs/gather_scores/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("gather"),
        columns="SCORES",
    script:
        "../scripts/gather.py"


rule contrast_networks:
    input:
        draws=study_draws,
    output:
        table=report(
            "results/tables/{study}/contrasts.tsv",
            caption="../report/contrasts.rst",
            category="Tables",
            labels={"study": "{study}", "table": "contrasts"},
        ),
    log:
        "results/logs/contrast_networks/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("contrast_networks"),
    script:
        "../scripts/contrast_networks.py"


rule recover:
    input:
        generators=recovery_generators,
        candidates=recovery_candidates,
    output:
        table="results/recover/{recovery}/{measure}.tsv",
    log:
        "results/logs/recover/{recovery}/{measure}.log",
    benchmark:
        "results/benchmarks/recover/{recovery}/{measure}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        recovery=recovery_entry,
        code=recover_code,
    script:
        "../scripts/recover.py"


rule gather_recoveries:
    input:
        tables=study_recoveries,
    output:
        table=report(
            "results/tables/{study}/recoveries.tsv",
            caption="../report/recoveries.rst",
            category="Tables",
            labels={"study": "{study}", "table": "recoveries"},
        ),
    log:
        "results/logs/gather_recoveries/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("gather"),
        columns="RECOVERIES",
    script:
        "../scripts/gather.py"


rule concatenate_studies:
    input:
        tables=default_tables,
    output:
        table="results/tables/{table}.tsv",
    log:
        "results/logs/concatenate_studies/{table}.log",
    wildcard_constraints:
        table="scores|descriptions",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("concatenate_studies"),
    script:
        "../scripts/concatenate_studies.py"
