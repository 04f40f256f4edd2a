"""A model in this process, on the GPU if there is one. Requires selfinstruct[finetune]."""

from contextlib import AsyncExitStack
from typing import Any

from selfinstruct.teachers import Teacher
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.settings import TeacherSettings


class Transformers(Kind):
    """A model from a folder or the hub."""

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """Check that the packages are installed and the settings are supported."""
        from finetune.inference.sampling import check_teacher

        check_teacher(stage, teacher, sampling)

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """Load the model."""
        from finetune.inference.teacher import TransformersTeacher

        local = TransformersTeacher(teacher.model, session.running.concurrency)
        stack.push_async_callback(local.close)
        return local


KIND = Transformers()
