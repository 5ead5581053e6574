"""Measures of one representation."""


rule describe:
    input:
        recording="results/ingest/{recording}.nc",
    output:
        table="results/describe/{recording}/{description}.tsv",
        details="results/describe/{recording}/{description}.nc",
    log:
        "results/logs/describe/{recording}/{description}.log",
    benchmark:
        "results/benchmarks/describe/{recording}/{description}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        code=describe_code,
    script:
        "../scripts/describe.py"


rule gather_descriptions:
    input:
        tables=described,
    output:
        table=report(
            "results/tables/{study}/descriptions.tsv",
            caption="../report/descriptions.rst",
            category="Tables",
            labels={"study": "{study}", "table": "descriptions"},
        ),
    log:
        "results/logs/gather_descriptions/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("gather"),
        columns="DESCRIPTIONS",
    script:
        "../scripts/gather.py"
