"""The openai client alone: each answer is written as it comes, a call that fails for good is left out.

python openai_client.py BODIES URL IN_FLIGHT FOLDER
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any


async def main(bodies: list[dict[str, Any]], url: str, in_flight: int, folder: Path) -> None:
    import httpx2
    import openai

    waiting = iter(bodies)
    http_client = openai.DefaultAioHttpClient(limits=httpx2.Limits(max_connections=in_flight + 8))
    client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=6, http_client=http_client)

    async def worker() -> None:
        for body in waiting:
            try:
                answer = await client.chat.completions.create(**body)
            except openai.APIError:
                continue
            rows.write(json.dumps(answer.choices[0].message.content) + "\n")

    async with client:
        with (folder / "rows.jsonl").open("w") as rows:
            await asyncio.gather(*(worker() for _ in range(in_flight)))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
