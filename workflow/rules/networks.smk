"""Load networks, or initialise untrained ones; extract what they do with stimuli."""


rule load_network:
    input:
        files=published_weights,
    output:
        weights="results/train/{network}/seed-{seed}.safetensors",
    log:
        "results/logs/load_network/{network}/seed-{seed}.log",
    wildcard_constraints:
        network=one_of(set(CATALOGUE.networks) - set(CATALOGUE.recurrent())),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        network=weights_entry,
        sha256=published_checksum,
        code=load_code,
    script:
        "../scripts/load_network.py"


rule extract_grams:
    input:
        images="results/ingest/stimuli/{stimuli}.nc",
        weights=weights_of,
    output:
        grams="results/extract/{stimuli}/{network}/seed-{seed}.nc",
    log:
        "results/logs/extract_grams/{stimuli}/{network}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/extract_grams/{stimuli}/{network}/seed-{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(3000),
    params:
        network=network_entry,
        code=grams_code,
    script:
        "../scripts/extract_grams.py"


rule extract_features:
    input:
        images="results/ingest/stimuli/{stimuli}.nc",
        weights=weights_of,
    output:
        features="results/extract/{stimuli}/{network}/seed-{seed}/{layer}.nc",
    log:
        "results/logs/extract_features/{stimuli}/{network}/seed-{seed}/{layer}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(3000),
    params:
        network=network_entry,
        code=features_code,
    script:
        "../scripts/extract_features.py"
