"""curator as its documentation shows it: one LLM over the rows, the cache on, failed rows left out.

    python curator_client.py BODIES URL IN_FLIGHT FOLDER REQUESTS_PER_MINUTE

Its own default is 200 requests and 100,000 tokens a minute where the server says nothing, so it is told the server's
limit. Retries are the ten that are its default.
"""

import json
import sys
from pathlib import Path


def main(bodies: Path, url: str, in_flight: int, folder: Path, requests_per_minute: int) -> None:
    from bespokelabs import curator

    class Teacher(curator.LLM):
        def prompt(self, row):
            return row["messages"]

        def parse(self, row, response):
            return {"answer": response}

    teacher = Teacher(
        model_name="simulated",
        backend="openai",
        backend_params={
            "base_url": url,
            "api_key": "none",
            "max_concurrent_requests": in_flight,
            "max_requests_per_minute": requests_per_minute,
            "max_tokens_per_minute": 10_000 * requests_per_minute,
            "require_all_responses": False,
        },
    )
    rows = [{"messages": body["messages"]} for body in json.loads(bodies.read_text())]
    answers = teacher(rows, working_dir=str(folder / "cache")).dataset
    (folder / "rows.jsonl").write_text("".join(json.dumps(row["answer"]) + "\n" for row in answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
