"""Comparison over time: rows of condition × time, and scores at every pair of times."""


rule unroll:
    input:
        recordings=course_recordings,
    output:
        recording="results/ingest/{recording}.nc",
    log:
        "results/logs/unroll/{recording}.log",
    wildcard_constraints:
        recording=one_of(COURSES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        options=course_options,
        code=code("unroll"),
    script:
        "../scripts/unroll.py"


rule extract_courses:
    input:
        course="results/ingest/{recording}.nc",
        trials=course_trials,
    output:
        grams="results/extract/{recording}/{network}/seed-{seed}.nc",
    log:
        "results/logs/extract_courses/{recording}/{network}/seed-{seed}.log",
    wildcard_constraints:
        recording=one_of(COURSES),
        network=one_of(OVER_TIME),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        options=variables_options,
        code=code("extract_courses"),
    script:
        "../scripts/extract_courses.py"


rule lag_courses:
    input:
        recording="results/ingest/{recording}.nc",
        grams=compared_grams,
    output:
        table="results/lags/{recording}/{network}/{measure}.tsv",
    log:
        "results/logs/lag_courses/{recording}/{network}/{measure}.log",
    benchmark:
        "results/benchmarks/lag_courses/{recording}/{network}/{measure}.tsv"
    wildcard_constraints:
        recording=one_of(COURSES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        code=lag_code,
    script:
        "../scripts/lag_courses.py"


rule gather_lags:
    input:
        tables=study_lags,
    output:
        table=report(
            "results/tables/{study}/lags.tsv",
            caption="../report/lags_table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "lags"},
        ),
    log:
        "results/logs/gather_lags/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("gather"),
        columns="LAGS",
    script:
        "../scripts/gather.py"
