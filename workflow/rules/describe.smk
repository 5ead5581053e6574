"""Measures of one representation, or of one network."""


rule describe:
    input:
        recording=described_recording,
    output:
        table="results/describe/{recording}/{description}.tsv",
        details="results/describe/{recording}/{description}.nc",
    log:
        "results/logs/describe/{recording}/{description}.log",
    benchmark:
        "results/benchmarks/describe/{recording}/{description}.tsv"
    wildcard_constraints:
        recording=one_of(RECORDINGS + TRIALS),
        description=f"(?!{OF_NETWORKS})[a-z][^/]*",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        code=describe_code,
    script:
        "../scripts/describe.py"


rule describe_network:
    input:
        weights=trial_weights,
        recording=described_recording,
    output:
        table="results/describe/{recording}/{description}.tsv",
        details="results/describe/{recording}/{description}.nc",
    log:
        "results/logs/describe_network/{recording}/{description}.log",
    benchmark:
        "results/benchmarks/describe_network/{recording}/{description}.tsv"
    wildcard_constraints:
        recording=one_of(TRIALS),
        description=f"{OF_NETWORKS}[^/]*",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        code=describe_network_code,
    script:
        "../scripts/describe_network.py"


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
