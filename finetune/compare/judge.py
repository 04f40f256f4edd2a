"""A judge model: asked about each item twice, with each answer first once.

    >>> read_verdict("The second one adds it up wrongly.\\nVerdict: 1")
    'first'

Judges often prefer what they see first (Zheng et al., arXiv 2306.05685, section 3.3), so a preference counts only if
it is the same in both orders; if the orders contradict each other, it is a tie. The last "Verdict:" of an answer is
parsed; without one the answer is unreadable, and the item is left out for this judge.
"""

import re
from pathlib import Path

from finetune.compare.asking import Served, ask
from finetune.compare.prompts import in_words
from finetune.compare.store import SIDES, Item, Judgement, Store, Verdict
from selfinstruct.asking.prompts import Prompts
from selfinstruct.records import Completion, Request

MAX_TOKENS = 512
VERDICTS: dict[str, Verdict] = {"1": "first", "2": "second", "tie": "tie"}
_VERDICT = re.compile(r"\bverdict\W{0,12}(?:answer\W{0,4})?(1|2|tie)\b", re.IGNORECASE)


def read_verdict(text: str) -> Verdict | None:
    """The verdict in a judge's answer; None if it cannot be parsed."""
    found = _VERDICT.findall(text)
    return VERDICTS[found[-1].lower()] if found else None


def questions(judge: Served, items: list[Item]) -> list[tuple[Request, Judgement]]:
    """The two requests for each item, each with a Judgement that lacks only the answer."""
    prompts = Prompts({"judge": (Path(__file__).parent / "judge.jinja").read_text(encoding="utf-8")})
    sampling = judge.sampling(MAX_TOKENS, 0.0)
    found = []
    for item in items:
        for side in SIDES:
            first, second = item.ordered(side)
            system, user = prompts.render("judge", question=in_words(item.messages), first=first, second=second)
            request = Request("judge", "openai", judge.model, "chat", system, user, sampling)
            found.append((request, Judgement(judge.model, item.position, side, "")))
    return found


def judge(store: Store, asked: Served) -> list[str]:
    """Ask about every item with different answers that was not asked yet; return why some got no answer."""
    known = store.judged()
    missing = [one for one in questions(asked, [i for i in store.items() if not i.is_same]) if one[0].id not in known]
    places = {request.id: judgement for request, judgement in missing}

    def keep(request: Request, completion: Completion) -> None:
        judgement = places[request.id]._replace(text=completion.text)
        store.add_judgement(request.id, judgement, completion.prompt_tokens, completion.completion_tokens)

    return ask(asked, [request for request, _ in missing], keep, f"asking {asked.model}, in both orders")
