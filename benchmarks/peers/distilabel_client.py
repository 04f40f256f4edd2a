"""distilabel as its documentation shows it: rows, one TextGeneration step, the cache on.

    python distilabel_client.py BODIES URL IN_FLIGHT FOLDER

One batch is asked at a time, so the calls in flight are those of a batch. Retries are the six that are its default.
"""

import json
import sys
from pathlib import Path


def main(bodies: Path, url: str, in_flight: int, folder: Path) -> None:
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration

    asked = [
        {message["role"]: message["content"] for message in body["messages"]} for body in json.loads(bodies.read_text())
    ]
    llm = OpenAILLM(model="simulated", base_url=url, api_key="none", generation_kwargs={"max_new_tokens": 1024})
    with Pipeline(name="peers", cache_dir=folder / "cache") as pipeline:
        load = LoadDataFromDicts(
            data=[{"instruction": roles["user"], "system_prompt": roles["system"]} for roles in asked],
            batch_size=in_flight,
        )
        load >> TextGeneration(llm=llm, input_batch_size=in_flight)
    answers = [row["generation"] for row in pipeline.run(use_cache=True)["default"]["train"]]
    lines = [json.dumps(answer) + "\n" for answer in answers if answer is not None]
    (folder / "rows.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
