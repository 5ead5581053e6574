"""Figures of recurrent networks."""


rule draw_learning:
    input:
        curves=learning_curves,
    output:
        figure=report(
            "results/draw/{study}/learning.svg",
            caption="../report/learning.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "learning"},
        ),
    log:
        "results/logs/draw_learning/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_learning"),
    script:
        "../scripts/draw_learning.py"


rule draw_fixed_points:
    input:
        details=fixed_points_details,
    output:
        figure=report(
            "results/draw/{study}/fixed_points.svg",
            caption="../report/fixed_points.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "fixed_points"},
        ),
    log:
        "results/logs/draw_fixed_points/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_fixed_points"),
    script:
        "../scripts/draw_fixed_points.py"


rule draw_selection:
    input:
        details=selection_details,
    output:
        figure=report(
            "results/draw/{study}/selection.svg",
            caption="../report/selection.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "selection"},
        ),
    log:
        "results/logs/draw_selection/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_selection"),
    script:
        "../scripts/draw_selection.py"


rule draw_perturbation:
    input:
        details=perturbation_details,
    output:
        figure=report(
            "results/draw/{study}/perturbation.svg",
            caption="../report/perturbation.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "perturbation"},
        ),
    log:
        "results/logs/draw_perturbation/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_perturbation"),
    script:
        "../scripts/draw_perturbation.py"


rule draw_spectra:
    input:
        table="results/tables/{study}/spectra.tsv",
    output:
        figure=report(
            "results/draw/{study}/spectra.svg",
            caption="../report/spectra.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "spectra"},
        ),
    log:
        "results/logs/draw_spectra/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_spectra"),
    script:
        "../scripts/draw_spectra.py"
