"""Train recurrent networks on tasks, or load trained ones; run them on trials."""


rule train_network:
    output:
        weights="results/train/{network}/seed-{seed}.safetensors",
        checkpoints="results/train/{network}/seed-{seed}.checkpoints.safetensors",
        curve="results/train/{network}/seed-{seed}.curve.tsv",
    log:
        "results/logs/train_network/{network}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/train_network/{network}/seed-{seed}.tsv"
    wildcard_constraints:
        network=one_of(recurrent_names("trained")),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        network=recurrent_entry,
        task=training_task,
        code=train_code,
    script:
        "../scripts/train_network.py"


rule load_recurrent:
    input:
        files=recurrent_file,
    output:
        weights="results/train/{network}/seed-{seed}.safetensors",
    log:
        "results/logs/load_recurrent/{network}/seed-{seed}.log",
    wildcard_constraints:
        network=one_of(recurrent_names("random", "published")),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        network=recurrent_entry,
        task=training_task,
        sha256=published_checksum,
        code=load_recurrent_code,
    script:
        "../scripts/load_recurrent.py"


rule run_trials:
    input:
        weights="results/train/{network}/seed-{seed}.safetensors",
    output:
        trials="results/extract/trials/{network}/seed-{seed}.nc",
    log:
        "results/logs/run_trials/{network}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/run_trials/{network}/seed-{seed}.tsv"
    wildcard_constraints:
        network=one_of(CATALOGUE.recurrent()),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(2000),
    params:
        task=task_entry,
        code=run_code,
    script:
        "../scripts/run_trials.py"


rule compare_spectra:
    input:
        details=spectra_details,
    output:
        table=report(
            "results/tables/{study}/spectra.tsv",
            caption="../report/spectra_table.rst",
            category="Tables",
            labels={"study": "{study}", "table": "spectra"},
        ),
    log:
        "results/logs/compare_spectra/{study}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code("compare_spectra"),
    script:
        "../scripts/compare_spectra.py"
