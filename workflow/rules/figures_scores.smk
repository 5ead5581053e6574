"""Figures of the scores of a study, drawn from its tables."""


rule draw_heatmap:
    input:
        scores="results/tables/{study}/scores.tsv",
    output:
        figure=report(
            "results/draw/{study}/heatmap.svg",
            caption="../report/heatmap.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "layers by measures"},
        ),
    log:
        "results/logs/draw_heatmap/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_heatmap"),
    script:
        "../scripts/draw_heatmap.py"


rule draw_forest:
    input:
        scores="results/tables/{study}/scores.tsv",
    output:
        figure=report(
            "results/draw/{study}/forest.svg",
            caption="../report/forest.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "intervals"},
        ),
    log:
        "results/logs/draw_forest/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_forest"),
    script:
        "../scripts/draw_forest.py"


rule draw_families:
    input:
        scores="results/tables/{study}/scores.tsv",
    output:
        figure=report(
            "results/draw/{study}/families.svg",
            caption="../report/families.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "agreement of measures"},
        ),
    log:
        "results/logs/draw_families/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_families"),
    script:
        "../scripts/draw_families.py"


rule draw_multiverse:
    input:
        table="results/tables/{study}/multiverse.tsv",
    output:
        figure=report(
            "results/draw/{study}/multiverse.svg",
            caption="../report/multiverse.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "multiverse"},
        ),
    log:
        "results/logs/draw_multiverse/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_multiverse"),
    script:
        "../scripts/draw_multiverse.py"


rule draw_sizes:
    input:
        table="results/tables/{study}/sizes.tsv",
    output:
        figure=report(
            "results/draw/{study}/sizes.svg",
            caption="../report/sizes.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "numbers of units and stimuli"},
        ),
    log:
        "results/logs/draw_sizes/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_sizes"),
    script:
        "../scripts/draw_sizes.py"


rule draw_lags:
    input:
        table="results/tables/{study}/lags.tsv",
    output:
        figure=report(
            "results/draw/{study}/lags.svg",
            caption="../report/lags.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "time by lag"},
        ),
    log:
        "results/logs/draw_lags/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_lags"),
    script:
        "../scripts/draw_lags.py"
