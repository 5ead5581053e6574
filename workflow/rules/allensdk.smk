"""Recordings of the Allen Institute, read by its own SDK in an environment that is built here."""


rule build_allensdk:
    output:
        "results/environments/allensdk.txt",
    log:
        "results/logs/build_allensdk/allensdk.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        requirements=allensdk_digest("requirements.txt"),
        code=code("build_allensdk"),
    script:
        "../scripts/build_allensdk.py"


# Only the list is an output: the files themselves are kept, as raw files of other recordings are.
rule fetch_allensdk:
    input:
        environment="results/environments/allensdk.txt",
    output:
        experiments="data/raw/{source}/experiments.json",
    log:
        "results/logs/fetch_allensdk/{source}.log",
    wildcard_constraints:
        source=one_of(ALLENSDK),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        request=allensdk_selection,
        about=fetch_about,
        programs=allensdk_digest("locate.py", "program.py"),
        code=code("fetch_allensdk"),
    script:
        "../scripts/fetch_allensdk.py"


rule export_allensdk:
    input:
        environment="results/environments/allensdk.txt",
        experiments="data/raw/{recording}/experiments.json",
    output:
        export="results/export/{recording}.h5",
    log:
        "results/logs/export_allensdk/{recording}.log",
    benchmark:
        "results/benchmarks/export_allensdk/{recording}.tsv"
    wildcard_constraints:
        recording=one_of(ALLENSDK),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(8000),
    params:
        request=allensdk_wanted,
        programs=allensdk_digest("export.py", "program.py", "ophys.py", "ecephys.py"),
        code=code("export_allensdk"),
    script:
        "../scripts/export_allensdk.py"


rule ingest_allensdk:
    input:
        export="results/export/{recording}.h5",
    output:
        recording="results/ingest/{recording}.nc",
    log:
        "results/logs/ingest_allensdk/{recording}.log",
    wildcard_constraints:
        recording=one_of(ALLENSDK),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(4000),
    params:
        loader=ingest_loader,
        options=ingest_options,
        about=ingest_about,
        code=allensdk_code,
    script:
        "../scripts/ingest_allensdk.py"


ruleorder: fetch_allensdk > fetch
