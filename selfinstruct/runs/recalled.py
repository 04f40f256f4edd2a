"""Imported answers, read back from a store: what `import` has put there, for `refilter`.

What `importing` found beside them in the files is in the store as well: a task that stood whole in a file is the
candidate of its completion, what a prompt had begun of an answer is its prompt's end, or stands in the request.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

from selfinstruct.errors import StoreError
from selfinstruct.parsing.names import FieldNames
from selfinstruct.records import Candidate, Completion, Rejection, Task
from selfinstruct.runs.recorded import Answer, key
from selfinstruct.store.answers import recorded_requests, superseded_requests
from selfinstruct.store.store import Store
from selfinstruct.strategies import GeneratedInstances, Proposal
from selfinstruct.strategies.self_instruct import CLASSIFY, INSTANCES, PROPOSE, read_generated, read_proposal


class Recalled:
    """The recorded answers of a run, in the order of their import; `steps` are its requests by step."""

    def __init__(self, store: Store, candidates: Mapping[int, Sequence[Candidate]], names: FieldNames):
        self._store = store
        self._names = names
        self._candidates = candidates
        self._of_name: dict[str, defaultdict[str, list[str]]] = {
            CLASSIFY.name: defaultdict(list), INSTANCES.name: defaultdict(list)
        }  # fmt: skip
        self._answered_again = superseded_requests(store)
        self._prefix: dict[str, str] = {}
        proposed = []
        for request in recorded_requests(store):
            if request.stage == PROPOSE.name:
                proposed.append(request.id)
                self._prefix[request.id] = request.user
            else:
                self._of_name[request.stage][key(request.user)].append(request.id)
                self._prefix[request.id] = request.sampling.get("begun", "")
        of_step = {one.request_id: step for step, some in candidates.items() for one in some}
        # What nothing could be read from is a step of its own.
        self.steps = [list(group) for _, group in itertools.groupby(proposed, lambda one: of_step.get(one, one))]

    def proposal(self, step: int) -> Proposal:
        """The candidates of a step: of one answer, or tasks that stood whole in a file."""
        (first, *_), found = self.steps[step], self._candidates[step]
        completion = self._said(first)
        if found and (found[0].instances or found[0].instruction == completion.text):
            return Proposal(list(found), [])
        prompt = self._prefix[first]
        prefix = Answer(0, 0, prompt, completion.text, completion.finish_reason).prefix
        return read_proposal(completion, prefix, self._names)

    def holds(self, request_id: str) -> bool:
        """Whether a request's answer was imported from a file."""
        return request_id in self._prefix

    def generated(self, task: Task) -> GeneratedInstances | None:
        """What was recorded for a task; None if it has no instances."""
        found = self._latest(INSTANCES.name, key(task.instruction))
        if not found:
            return None
        classes = self._latest(CLASSIFY.name, key(task.instruction))
        said, prefix = self._said(found[0]), self._prefix[found[0]]
        return read_generated(task.instruction, [self._said(one) for one in classes], [said], prefix, self._names)

    def reject_unused(self, store: Store) -> None:
        """Store, as rejections, what no task of `store` can use."""
        known = {key(task.instruction) for task in store.tasks()}
        with store.transaction():
            for stage, of_name in self._of_name.items():
                for name, identities in of_name.items():
                    used = self._latest(stage, name) if name in known else []
                    reason = "answered_again" if name in known else "no_such_task"
                    for identity in identities:
                        if identity not in used:
                            store.reject(identity, Rejection(reason, {"instruction": name}))

    def _latest(self, stage: str, name: str) -> list[str]:
        """The answer for an instruction that counts, if there is any: the last one."""
        found = self._of_name[stage].get(name, [])
        return [one for one in found if one not in self._answered_again][-1:] or found[-1:]

    def _said(self, identity: str) -> Completion:
        completion = self._store.completion(identity)
        if completion is None:
            folder = self._store.folder
            raise StoreError(f"{folder}: request {identity} has no answer. Run selfinstruct verify {folder}.")
        return completion
