"""Filters of whole records, against those of other tasks and test sets."""

from selfinstruct.filters.instance import INSTANCES, LARGER
from selfinstruct.filters.instruction import overlap
from selfinstruct.filters.rule import Evidence, rule
from selfinstruct.parsing.verdicts import declines
from selfinstruct.pool.pool import Pool, SimilaritySettings, record_text
from selfinstruct.records import Record


class RecordSettings(SimilaritySettings):
    """Thresholds of the record filters: `near_duplicate` is the pool's."""


@rule(INSTANCES, "the output is a refusal", "seen in teachers' answers")
def refused_output(record: Record, pool: Pool[RecordSettings]) -> Evidence | None:
    """The output begins like a refusal, and the task does not ask for such words."""
    return {} if declines(record_text(record.instruction, record.input), record.output) else None


@rule(INSTANCES, "repeats an example of the prompt", "seen in the answers of small models", remedy=LARGER)
def copied_demonstration(record: Record, pool: Pool[RecordSettings]) -> Evidence | None:
    """Input and output are those of an example that the prompt shows, or of a seed."""
    prompt = pool.shown.demonstrating(record.input, record.output)
    return {"prompt": prompt} if prompt else None


@rule(INSTANCES, "nearly copies another task's record", "Jaccard of word trigrams; see Measurements in the docs")
def near_duplicate(record: Record, pool: Pool[RecordSettings]) -> Evidence | None:
    """The whole record is nearly the same as one of another task."""
    near = pool.nearest_record(record_text(record.instruction, record.input, record.output))
    return {"nearest_id": near[0], "jaccard": near[1]} if near else None


@rule(INSTANCES, "overlaps a question of a test set", "GPT-3, appendix C; see pool/contamination.py")
def contaminated(record: Record, pool: Pool[RecordSettings]) -> Evidence | None:
    """The record overlaps a question of a test set: somewhere in it, or with its instruction and input as a whole."""
    question = record_text(record.instruction, record.input)
    return overlap(pool, record_text(question, record.output), question)


# For records whose instances passed the instance filters.
RECORD_FILTERS = (refused_output, copied_demonstration, near_duplicate, contaminated)
