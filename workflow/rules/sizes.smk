"""Scores against the number of units and of stimuli."""


rule vary_sizes:
    input:
        recording="results/ingest/{recording}.nc",
        grams=compared_grams,
        control=control_grams,
    output:
        table="results/sizes/{recording}/{network}/{measure}.tsv",
    log:
        "results/logs/vary_sizes/{recording}/{network}/{measure}.log",
    benchmark:
        "results/benchmarks/vary_sizes/{recording}/{network}/{measure}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        code=sizes_code,
    script:
        "../scripts/vary_sizes.py"


rule gather_sizes:
    input:
        tables=study_sizes,
    output:
        table=report(
            "results/tables/{study}/sizes.tsv",
            caption="../report/sizes_table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "sizes"},
        ),
    log:
        "results/logs/gather_sizes/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("gather"),
        columns="SIZES",
    script:
        "../scripts/gather.py"
