"""Encoding models of a recording from several bands of features."""


rule encode:
    input:
        recording=encoding_recording,
        grams=encoding_grams,
    output:
        table="results/encode/{encoding}.tsv",
        details="results/encode/{encoding}.nc",
    log:
        "results/logs/encode/{encoding}.log",
    benchmark:
        "results/benchmarks/encode/{encoding}.tsv"
    wildcard_constraints:
        encoding=one_of(CATALOGUE.encodings),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        entry=encoding_entry,
        bands=encoding_bands,
        code=code("encode"),
    script:
        "../scripts/encode.py"


rule gather_encodings:
    input:
        tables=study_encodings,
    output:
        table=report(
            "results/tables/{study}/encodings.tsv",
            caption="../report/encodings.rst",
            category="Tables",
            labels={"study": "{study}", "table": "encodings"},
        ),
    log:
        "results/logs/gather_encodings/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("gather"),
        columns="ENCODINGS",
    script:
        "../scripts/gather.py"
