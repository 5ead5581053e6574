"""Figures of the parts of population responses."""


rule draw_phases:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
        details=phases_details,
    output:
        figure=report(
            "results/draw/{study}/phases.svg",
            caption="../report/phases.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "phases"},
        ),
    log:
        "results/logs/draw_phases/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_phases"),
    script:
        "../scripts/draw_phases.py"


rule draw_components:
    input:
        details=components_details,
    output:
        figure=report(
            "results/draw/{study}/components.svg",
            caption="../report/components.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "components"},
        ),
    log:
        "results/logs/draw_components/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_components"),
    script:
        "../scripts/draw_components.py"


rule draw_tdr:
    input:
        details=tdr_details,
    output:
        figure=report(
            "results/draw/{study}/tdr.svg",
            caption="../report/tdr.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "tdr"},
        ),
    log:
        "results/logs/draw_tdr/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_tdr"),
    script:
        "../scripts/draw_tdr.py"
