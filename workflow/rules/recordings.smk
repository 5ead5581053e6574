"""Fetch raw files; ingest them into recordings and stimuli, or simulate a recording."""


# `update` keeps a file that was put there by hand, or fetched before: the script checks it and moves on.
rule fetch:
    output:
        update("data/raw/{source}/{file}"),
    log:
        "results/logs/fetch/{source}/{file}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        checksum=fetch_checksum,
        sources=fetch_sources,
        about=fetch_about,
    script:
        "../scripts/fetch.py"


rule ingest:
    input:
        files=ingest_files,
    output:
        recording="results/ingest/{recording}.nc",
    log:
        "results/logs/ingest/{recording}.log",
    wildcard_constraints:
        recording=one_of(set(RECORDINGS) - set(SIMULATED) - set(POOLED) - set(COURSES) - set(ALLENSDK)),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        loader=ingest_loader,
        options=ingest_options,
        about=ingest_about,
        sha256=ingest_checksums,
        code=ingest_code,
    script:
        "../scripts/ingest.py"


rule simulate:
    output:
        recording="results/ingest/{recording}.nc",
        truth="results/ingest/{recording}.truth.nc",
    log:
        "results/logs/simulate/{recording}.log",
    wildcard_constraints:
        recording=one_of(SIMULATED),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        loader=ingest_loader,
        options=ingest_options,
        code=simulate_code,
    script:
        "../scripts/simulate.py"


rule pool:
    input:
        recordings=pooled_recordings,
    output:
        recording="results/ingest/{recording}.nc",
    log:
        "results/logs/pool/{recording}.log",
    wildcard_constraints:
        recording=one_of(POOLED),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(4000),
    params:
        options=pool_options,
        code=code("pool"),
    script:
        "../scripts/pool.py"


rule ingest_stimuli:
    input:
        files=stimuli_files,
        export=stimuli_export,
    output:
        images="results/ingest/stimuli/{stimuli}.nc",
    log:
        "results/logs/ingest_stimuli/{stimuli}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        module=stimuli_module,
        options=stimuli_options,
        sha256=stimuli_checksums,
        code=stimuli_code,
    script:
        "../scripts/ingest_stimuli.py"
