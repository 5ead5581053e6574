"""How often tests err and intervals cover, on simulated recordings; each calibration is a target."""


rule calibrate:
    output:
        outcomes="results/calibrate/{calibration}/{cell}/{measure}.nc",
    log:
        "results/logs/calibrate/{calibration}/{cell}/{measure}.log",
    benchmark:
        "results/benchmarks/calibrate/{calibration}/{cell}/{measure}.tsv"
    wildcard_constraints:
        calibration=one_of(CALIBRATIONS),
        cell="stimuli=[^/]+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled_memory(1000),
    params:
        numbers=calibration_numbers,
        code=calibrate_code,
    script:
        "../scripts/calibrate.py"


rule tabulate_calibration:
    input:
        outcomes=calibration_outcomes,
    output:
        calibrated=report(
            "results/tables/{calibration}/calibration.tsv",
            caption="../report/calibration.rst",
            category="Tables",
            labels={"study": "{calibration}", "table": "calibration"},
        ),
        powers=report(
            "results/tables/{calibration}/power.tsv",
            caption="../report/power.rst",
            category="Tables",
            labels={"study": "{calibration}", "table": "power"},
        ),
    log:
        "results/logs/tabulate_calibration/{calibration}.log",
    wildcard_constraints:
        calibration=one_of(CALIBRATIONS),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        design=calibration_design,
        code=code("tabulate_calibration"),
    script:
        "../scripts/tabulate_calibration.py"


rule draw_calibration:
    input:
        calibrated="results/tables/{calibration}/calibration.tsv",
    output:
        figure=report(
            "results/draw/{calibration}/calibration.svg",
            caption="../report/calibration_figure.rst",
            category="Figures",
            labels={"study": "{calibration}", "figure": "calibration"},
        ),
    log:
        "results/logs/draw_calibration/{calibration}.log",
    wildcard_constraints:
        calibration=one_of(CALIBRATIONS),
    conda:
        "../../environment.yml"
    params:
        code=code("draw_calibration"),
    script:
        "../scripts/draw_calibration.py"


for calibration in CALIBRATIONS:

    rule:
        name:
            calibration
        input:
            calibration_results(calibration),
        localrule: True
