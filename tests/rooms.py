"""The rooms of the house, from the ground up, and what each may import.

A room stands below every room that imports it; ``test_architecture.py`` holds the project to it.
"""

from __future__ import annotations

from collections.abc import Mapping

DATA_MODEL = ("datasets/core", "datasets/core/model")
DATA_FILES = (
    *(*DATA_MODEL, "datasets/core/readers"),
    *("datasets/core/transforms", "datasets/core/access"),
)
METHOD_PARTS = (
    *("methods/core", "methods/core/inputs/graphs", "methods/core/inputs"),
    *("methods/core/layers", "methods/core/losses", "methods/core/training"),
    "methods/core/self_supervised",
    *("methods/core/hybrid", "methods/core/siamese"),
    "methods/core/rounds",
)
REPORT_PARTS = (
    *("reports/core", "reports/core/rows", "reports/core/statistics", "reports/core/figures"),
    *("reports/core/papers", "reports/core/published", "reports/core/evidence"),
    "reports/core/links",
)

RESULTS = ("results/core", "results/core/disk")

CLI_PARTS = (
    *(*DATA_FILES, "methods/core", *RESULTS, "results/core/plans"),
    *("results/core/measured", "results/core/predictions"),
    *(
        "bench/scoring",
        "bench/battery",
        "bench/planning",
        "bench/planning/requests",
        "bench/running",
    ),
    *("bench/api", "bench/predict.py"),
    *("reports/core", "reports/core/published", "reports/core/evidence"),
    *("reports/core/rows", "reports/core/links", "reports/formats", "reports/making"),
)

ROOMS: Mapping[str, tuple[str, ...]] = {
    # Rooms from the ground up; beside each, the other rooms that its files may import.
    # A file in a room may also import its neighbours, in one direction.
    "datasets/core": (),  # errors, options, citations, opening files: what everybody names
    "datasets/core/model": ("datasets/core",),  # an immutable pair of graphs; counts
    "datasets/core/readers/bounded": ("datasets/core",),  # what a file may unpack to
    "datasets/core/readers": (*DATA_MODEL, "datasets/core/readers/bounded"),  # file formats
    "datasets/core/transforms": DATA_MODEL,  # changes that the address of any dataset can ask for
    # Find, cache, fetch, write.
    "datasets/core/access": (
        *(*DATA_MODEL, "datasets/core/readers"),
        "datasets/core/transforms",
    ),
    "datasets/core/families": DATA_FILES,  # what the datasets of one family share
    "datasets/core/synthesis": (*DATA_MODEL, "datasets/core/families"),  # made-up pairs
    "datasets": (*DATA_FILES, "datasets/core/families", "datasets/core/synthesis"),  # plugins
    "results/published": (),  # what the papers print, as data
    "results/core/upgrades": (),  # records of older schemas, brought to the present one
    # Files that are whole or absent, and reading that cannot hang.
    "results/core/disk": ("datasets/core",),
    # What a folder was asked for, and how much of it is there.
    "results/core/plans": ("results/core/disk",),
    # Schema, store, tables, published numbers.
    "results/core": ("results/core/disk", "results/core/plans", "results/core/upgrades"),
    "results/measured": (),  # reference runs that ship, as data
    "results/core/predictions": RESULTS,  # ranks per link, vectors, facts on entities
    "results/core/measured": RESULTS,  # slim records, their origin, remarks on them
    "methods/core": DATA_MODEL,  # the contract, the catalogue, similarities
    "methods/core/inputs/graphs": (*DATA_MODEL, "methods/core"),  # both KGs as one graph
    # Features of a view.
    "methods/core/inputs": (
        *(*DATA_MODEL, "datasets/core/readers"),  # word vectors, word by word
        *("methods/core", "methods/core/inputs/graphs"),
    ),
    "methods/core/layers": METHOD_PARTS[:3],  # modules
    "methods/core/losses": ("methods/core", "methods/core/layers"),  # losses
    "methods/core/states": (),  # a training's state as numbers and names, without code
    # Loops, samplers, pseudo-seeds, kept state.
    "methods/core/training": ("datasets/core", *METHOD_PARTS[:5], "methods/core/states"),
    "methods/core/self_supervised": METHOD_PARTS[:6],  # contrast without positive pairs
    # Encoder, losses and training of MEAformer and its successors.
    "methods/core/hybrid": (*DATA_MODEL, *METHOD_PARTS[:6]),
    "methods/core/siamese": METHOD_PARTS[:6],  # TransE beside contrastive pairs: MSNEA's line
    # Steps and rounds of RREA, Dual-AMN and what stands on them.
    "methods/core/rounds": (*DATA_MODEL, *METHOD_PARTS[:6]),
    "methods/parts": (*DATA_MODEL, *METHOD_PARTS),  # what one method alone needs
    "methods": (*DATA_MODEL, *METHOD_PARTS, "methods/parts"),  # plugins
    "bench/scoring/dangling": (*DATA_MODEL, "methods/core"),  # entities without a partner
    # Embeddings to numbers.
    "bench/scoring": (*DATA_MODEL, "methods/core", *RESULTS, "bench/scoring/dangling"),
    # Ranks among the candidates of an index, for very many links.
    "bench/scoring/approximate": ("datasets/core", "methods/core", "bench/scoring"),
    # Trainings in reduced precision, and the same bits every time.
    "bench/precision": ("datasets/core", "datasets/core/model", "methods/core", "bench/scoring"),
    "bench/battery": (  # what every method must do: checks that ship with the package
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *("bench/scoring", "bench/precision"),
    ),
    # Both KGs cut in parts, and any method trained on one after the other.
    "bench/partitions": (*DATA_MODEL, "methods/core", "bench/scoring"),
    # Values of a suite file, from TOML to what a run takes.
    "bench/planning/values": (
        *("datasets/core", "methods/core", "bench/scoring", "bench/partitions"),
        "bench/scoring/approximate",
    ),
    "bench/planning": (
        *DATA_FILES,
        "methods/core",
        *RESULTS,
        "results/core/predictions",
        "bench/scoring",
        "bench/partitions",
        "bench/precision",
        "bench/planning/values",
    ),
    # A request as a whole: its folder, what it will skip, what it trains once.
    "bench/planning/requests": (
        *("datasets/core", "methods/core", *RESULTS, "bench/planning"),
        "bench/precision",
        "results/core/predictions",
    ),
    # What a cell keeps besides its record: ranks and candidates per link, vectors.
    "bench/predictions": (
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *(*RESULTS, "results/core/predictions", "bench/scoring", "bench/planning"),
        "bench/partitions",
    ),
    "bench/metering": ("datasets/core", *RESULTS),  # energy, CO2, freed memory of a cell
    "bench/cells": (
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *(*RESULTS, "bench/scoring", "bench/planning", "bench/predictions"),
        *("bench/metering", "bench/scoring/approximate", "bench/precision"),
    ),
    "bench/sharing": RESULTS,  # several runners on one folder: claims, heartbeats, advances
    "bench/running": (
        *("methods/core", "datasets/core", *RESULTS, "results/core/plans"),
        *("bench/planning", "bench/cells", "bench/sharing"),
    ),
    "bench/clusters": (
        *("datasets/core", "datasets/core/access"),
        *(*RESULTS, "bench/planning", "bench/cells", "bench/running"),
    ),
    # Equal tuning: studies of trials, which are cells on validation links.
    "bench/tuning": (
        *("datasets/core", "methods/core", *RESULTS),
        *("bench/planning", "bench/planning/requests", "bench/cells", "bench/running"),
        "bench/sharing",
    ),
    "reports/core": (*RESULTS, "results/core/plans"),  # documents, options, words
    # Which rows a report shows.
    "reports/core/rows": (*RESULTS, "results/core/plans", "reports/core"),
    # Cells that lack and methods that are interpretations, said below tables.
    "reports/core/stated": (
        *(*RESULTS, "results/core/plans", "results/core/measured"),
        *("reports/core", "reports/core/rows"),
    ),
    "reports/core/statistics": (*RESULTS, "reports/core"),  # tests and ranks
    "reports/core/figures": (*REPORT_PARTS[:3], *RESULTS),  # drawing
    "reports/core/papers": (*REPORT_PARTS[:3], *RESULTS),  # tables as papers lay them out
    "reports/core/published": (*REPORT_PARTS[:3], *RESULTS),  # measured against printed
    # The shipped runs: fidelity, leaderboard, and the band that a replay is held against.
    "reports/core/evidence": (
        *(*REPORT_PARTS[:3], "reports/core/published", *RESULTS, "results/core/measured"),
        "reports/core/stated",
    ),
    # Errors link by link: systems, slices, pairs.
    "reports/core/links": (*REPORT_PARTS[:3], *RESULTS, "results/core/predictions"),
    # Two sides of results held against each other.
    "reports/core/comparing": (*REPORT_PARTS[:3], *RESULTS, "reports/core/stated"),
    "reports": (*REPORT_PARTS, *RESULTS),  # plugins: one report each
    "reports/formats": (*REPORT_PARTS, *RESULTS),  # a document to bytes
    "reports/making": (  # build all, serve
        *(*REPORT_PARTS, *RESULTS, "results/core/plans", "results/core/measured"),
        *("reports/formats", "results/core/predictions", "reports/core/stated"),
    ),
    # Trackers, and what tells them of a run.
    "bench/tracking": (
        *("datasets/core", *RESULTS, "bench/planning", "bench/cells", "bench/running"),
    ),
    # Plan and run a request, what the command line and scripts call.
    "bench/api": (
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *(*RESULTS, "bench/scoring", "bench/planning", "bench/planning/requests"),
        *("bench/cells", "bench/running", "bench/sharing", "bench/clusters", "bench/tracking"),
        "bench/metering",
        *("results/core/predictions", "reports/core", "reports/making"),
    ),
    # A cell that is done, trained again for what was not kept of it.
    "bench/predict.py": (
        *("datasets/core", *RESULTS, "bench/planning", "bench/planning/requests"),
        "bench/api",
    ),
    "bench/cli": CLI_PARTS,  # options and texts; one verb a file
    "bench/cli/listing": (*CLI_PARTS, "bench/cli"),  # the verb list
    "bench/cli/records": (*CLI_PARTS, "bench/cli"),  # verbs on single records
    # What is installed and found here, and what is to be cited.
    "bench/cli/about": (*CLI_PARTS, "bench/cli", "bench/cli/listing"),
    # Verbs on the shipped runs, and the replay of a printed number.
    "bench/cli/evidence": (*CLI_PARTS, "bench/cells", "bench/cli"),
    # Verbs on studies of one's own: two sides compared, methods tuned.
    "bench/cli/studies": (*CLI_PARTS, "bench/cli", "bench/tuning", "reports/core/comparing"),
    "bench/cli/app.py": (
        *(*CLI_PARTS, "bench/cli", "bench/cli/listing", "bench/cli/records", "bench/cli/evidence"),
        "bench/cli/studies",
        "bench/cli/about",
    ),
    "bench/__main__.py": ("bench/cli/app.py",),
    # What authors of methods and datasets import; nothing of ours imports these two.
    "datasets/api.py": (*DATA_FILES, "datasets/core/families"),
    "methods/api.py": (*DATA_MODEL, *METHOD_PARTS),
}
PLUGIN_ROOMS = ("methods", "datasets", "reports")
