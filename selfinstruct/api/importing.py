"""Imports answers recorded by another tool, or a finished dataset, as a run."""

from typing import Any

from selfinstruct.api.runs import Run
from selfinstruct.api.settings import FilePath, file_path, optional_path, tables


def import_answers(
    folder: FilePath,
    *,
    completions: FilePath | None = None,
    classification: FilePath | None = None,
    instances: FilePath | None = None,
    alpaca: FilePath | None = None,
    seeds: FilePath | None = None,
    config: FilePath | None = None,
    **settings: Any,
) -> Run:
    """Import recorded answers into the run in `folder`, through the usual parsers and filters, without API calls.

    - `completions`: JSON Lines of answers to proposal requests, with `seeds`, the seed tasks they were generated from.
    - `classification`, `instances`: answers about each task of `completions`, in the same or a later call.
    - `alpaca`: a finished dataset, instead of the three above.
    - `config`, `settings`: as for `generate`.

    Answers for an instruction that is not an admitted task, and those that a later answer replaces, are in the run's
    `rejected()`, with the reasons no_such_task and answered_again. Raises UsageError if a file cannot be read, if the
    files cannot be combined, or if `folder` holds a run that was not imported from them.
    """
    from selfinstruct.runs.importing import bring_in, read_recorded
    from selfinstruct.runs.run import open_run

    place, seeds_file = file_path("folder", folder), optional_path("seeds", seeds)
    named = {"completions": completions, "classification": classification, "instances": instances, "alpaca": alpaca}
    files = {name: optional_path(name, path) for name, path in named.items()}
    recorded = read_recorded(place, seeds_file, **files)
    opened = open_run(place, optional_path("config", config), tables(None, settings), seeds_file, asking=False)
    with opened.store:
        bring_in(opened, recorded)
    return Run(place)
