"""Figures of what single recordings show, drawn from tables and from small summaries."""


rule draw_classification:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
    output:
        figure=report(
            "results/draw/{study}/classification.svg",
            caption="../report/classification.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "classification"},
        ),
    log:
        "results/logs/draw_classification/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_classification"),
    script:
        "../scripts/draw_classification.py"


rule draw_psychometrics:
    input:
        details=psychometrics_details,
    output:
        figure=report(
            "results/draw/{study}/psychometrics.svg",
            caption="../report/psychometrics.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "psychometrics"},
        ),
    log:
        "results/logs/draw_psychometrics/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_psychometrics"),
    script:
        "../scripts/draw_psychometrics.py"


rule draw_trajectories:
    input:
        details=trajectories_details,
    output:
        figure=report(
            "results/draw/{study}/trajectories.svg",
            caption="../report/trajectories.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "trajectories"},
        ),
    log:
        "results/logs/draw_trajectories/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_trajectories"),
    script:
        "../scripts/draw_trajectories.py"
