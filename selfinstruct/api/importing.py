"""Imports answers recorded by another tool, or a finished dataset, as a run."""

from typing import Any

from selfinstruct.api.runs import Run
from selfinstruct.api.settings import FilePath, file_path, optional_path, tables
from selfinstruct.errors import UsageError
from selfinstruct.store.store import Store


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
    - `alpaca`: a finished dataset, instead of these.
    - `config`, `settings`: as for `generate`.

    Answers that match no admitted task are in the run's `rejected()`, with the reasons no_such_task and answered_again.
    Raises UsageError if a file cannot be read, if the files do not go together, or if `folder` holds a run that was not
    imported from them.
    """
    from selfinstruct.runs.importing import bring_in, read_recorded, refuse_other_runs
    from selfinstruct.runs.run import open_run

    place, seeds_file = file_path("folder", folder), optional_path("seeds", seeds)
    named = {"completions": completions, "classification": classification, "instances": instances, "alpaca": alpaca}
    files = {name: optional_path(name, path) for name, path in named.items()}
    if (alpaca is None) == (completions is None):
        raise UsageError("import_answers takes either completions or alpaca.")
    if alpaca is not None and (classification is not None or instances is not None):
        raise UsageError("alpaca contains whole tasks; it cannot be combined with classification or instances.")
    recorded = read_recorded(**files)
    if Store.exists(place):
        with Store.read(place) as store:
            refuse_other_runs(store, recorded)
    elif completions is not None and seeds is None:
        raise UsageError("completions requires seeds, the file of the seed tasks that the answers were generated from.")
    opened = open_run(place, optional_path("config", config), tables(None, settings), seeds_file, asking=False)
    with opened.store:
        bring_in(opened, recorded)
    return Run(place)
