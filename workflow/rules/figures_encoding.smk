"""Figures of encoding models."""


rule draw_partition:
    input:
        encodings="results/tables/{study}/encodings.tsv",
        details=encoding_details,
    output:
        figure=report(
            "results/draw/{study}/partition.svg",
            caption="../report/partition.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "variance partition"},
        ),
    log:
        "results/logs/draw_partition/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_partition"),
    script:
        "../scripts/draw_partition.py"


rule draw_maps:
    input:
        encodings="results/tables/{study}/encodings.tsv",
        details=encoding_details,
    output:
        figure=report(
            "results/draw/{study}/maps.svg",
            caption="../report/maps.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "maps of units"},
        ),
    log:
        "results/logs/draw_maps/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_maps"),
    script:
        "../scripts/draw_maps.py"
