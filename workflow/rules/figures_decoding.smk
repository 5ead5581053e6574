"""Figures of decoding."""


rule draw_limits:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
        limits=limits_details,
        thresholds=thresholds_details,
    output:
        figure=report(
            "results/draw/{study}/limits.svg",
            caption="../report/limits.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "limits of decoding"},
        ),
    log:
        "results/logs/draw_limits/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_limits"),
        planted=planted_limits,
    script:
        "../scripts/draw_limits.py"


rule draw_choice:
    input:
        details=choice_details,
    output:
        figure=report(
            "results/draw/{study}/choice.svg",
            caption="../report/choice.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "choice probability"},
        ),
    log:
        "results/logs/draw_choice/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_choice"),
    script:
        "../scripts/draw_choice.py"


rule draw_sweep:
    input:
        details=sweep_details,
    output:
        figure=report(
            "results/draw/{study}/sweep.svg",
            caption="../report/sweep.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "sweep"},
        ),
    log:
        "results/logs/draw_sweep/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_sweep"),
    script:
        "../scripts/draw_sweep.py"


rule draw_generalisation:
    input:
        details=generalisation_details,
    output:
        figure=report(
            "results/draw/{study}/generalisation.svg",
            caption="../report/generalisation.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "generalisation"},
        ),
    log:
        "results/logs/draw_generalisation/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_generalisation"),
    script:
        "../scripts/draw_generalisation.py"
