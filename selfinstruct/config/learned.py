"""What a run has found out about its servers: the settings that they refuse, and those that were tried with them.

Stored with the run beside its settings, which are those that are sent. A config file given again states the
user's settings, so what was learned is applied to it again: the same command continues with the same requests.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from selfinstruct.config.config import Config
from selfinstruct.teachers.refused import Edit, edited
from selfinstruct.teachers.settings import StageTeacher


@dataclass
class Learned:
    """`edits` by stage and model; `tried`: the lowest temperature of each kind of settings that a server accepted."""

    edits: dict[str, dict[str, list[Edit]]] = field(default_factory=dict)
    tried: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Learned":
        """What is stored among a run's settings."""
        found = settings.get("learned", {})
        edits = {
            stage: {model: [Edit(*edit) for edit in some] for model, some in models.items()}
            for stage, models in found.get("edits", {}).items()
        }
        return cls(edits, dict(found.get("tried", {})))

    def as_settings(self) -> dict[str, Any]:
        """The same as JSON values, to be stored."""
        return {"learned": {"edits": self.edits, "tried": self.tried}}

    def about(self, stage: str, model: str) -> list[Edit]:
        """What requests of a stage to a model do without."""
        return self.edits.get(stage, {}).get(model, [])

    def applied(self, config: Config, stages: Collection[str]) -> Config:
        """The settings with what was learned about these stages."""
        return config.with_choices(
            {
                stage: [changes_of(choice, self.about(stage, choice.teacher.model)) for choice in config.choices(stage)]
                for stage in config.known_stages
                if stage in stages
            }
        )


def body_of(choice: StageTeacher, schema: Any = None) -> dict[str, Any]:
    """What goes into a request's body besides model and prompt; the seed is 0 here."""
    teacher, sampling, _ = choice
    body = dict(sampling)
    if schema is not None:
        body["response_format"] = schema
    if teacher.send_seed:
        body["seed"] = 0
    if teacher.logprobs:
        body["logprobs"] = True if teacher.endpoint == "chat" else 0
    return body


def changes_of(choice: StageTeacher, edits: Iterable[Edit]) -> dict[str, Any]:
    """The settings of a choice that are others with `edits`, but for its answer format."""
    before = body_of(choice)
    after = edited(before, edits)
    changes = {
        setting: False
        for setting, key in (("send_seed", "seed"), ("logprobs", "logprobs"))
        if key in before and key not in after
    }
    sampling = {key: value for key, value in after.items() if key not in ("seed", "logprobs", "response_format")}
    return changes if sampling == choice.sampling else {**changes, "sampling": sampling}
