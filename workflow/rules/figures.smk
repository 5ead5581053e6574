"""Figures, drawn from tables and from small summaries."""


rule draw_profile:
    input:
        scores="results/tables/{study}/scores.tsv",
        descriptions="results/tables/{study}/descriptions.tsv",
    output:
        figure=report(
            "results/draw/{study}/profile.svg",
            caption="../report/profile.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "layer profile"},
        ),
    log:
        "results/logs/draw_profile/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_profile"),
    script:
        "../scripts/draw_profile.py"


rule draw_rdms:
    input:
        scores="results/tables/{study}/scores.tsv",
        recording=rdm_recording,
        stimuli=rdm_stimuli,
        grams=rdm_grams,
    output:
        figure=report(
            "results/draw/{study}/rdms.svg",
            caption="../report/rdms.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "RDMs"},
        ),
    log:
        "results/logs/draw_rdms/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_rdms"),
    script:
        "../scripts/draw_rdms.py"


rule draw_arrangement:
    input:
        scores="results/tables/{study}/scores.tsv",
        recording=rdm_recording,
        stimuli=rdm_stimuli,
        grams=rdm_grams,
    output:
        figure=report(
            "results/draw/{study}/arrangement.svg",
            caption="../report/arrangement.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "arrangement"},
        ),
    log:
        "results/logs/draw_arrangement/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=figure_options,
        code=code("draw_arrangement"),
    script:
        "../scripts/draw_arrangement.py"


rule draw_decoding:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
    output:
        figure=report(
            "results/draw/{study}/decoding.svg",
            caption="../report/decoding.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "decoding"},
        ),
    log:
        "results/logs/draw_decoding/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_decoding"),
    script:
        "../scripts/draw_decoding.py"


rule draw_recovery:
    input:
        recoveries="results/tables/{study}/recoveries.tsv",
    output:
        figure=report(
            "results/draw/{study}/recovery.svg",
            caption="../report/recovery.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "recovery"},
        ),
    log:
        "results/logs/draw_recovery/{study}.log",
    conda:
        "../../environment.yml"
    params:
        titles=recovery_titles,
        code=code("draw_recovery"),
    script:
        "../scripts/draw_recovery.py"


rule draw_parts:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
        details=parts_details,
    output:
        figure=report(
            "results/draw/{study}/parts.svg",
            caption="../report/parts.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "parts"},
        ),
    log:
        "results/logs/draw_parts/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_parts"),
    script:
        "../scripts/draw_parts.py"


rule draw_sessions:
    input:
        descriptions="results/tables/{study}/descriptions.tsv",
    output:
        figure=report(
            "results/draw/{study}/sessions.svg",
            caption="../report/sessions.rst",
            category="Figures",
            labels={"study": "{study}", "figure": "sessions"},
        ),
    log:
        "results/logs/draw_sessions/{study}.log",
    conda:
        "../../environment.yml"
    params:
        code=code("draw_sessions"),
    script:
        "../scripts/draw_sessions.py"
