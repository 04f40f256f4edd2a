"""Does an answer break off? Labels, titles, lists, verses, code and names end without a mark: only clear signs count.

| sign             | example                                                                          |
|------------------|----------------------------------------------------------------------------------|
| open code fence  | a line of ``` that no other closes                                               |
| colon            | the last of several sentences announces what does not come                       |
| bare list mark   | "3." or "-" with nothing behind it                                               |
| comma            | at the end of a line of eight words                                              |
| small word       | "... is one of the": an article or a conjunction, which ends no phrase           |
| open bracket     | in the last line of prose, "( " without ")"                                      |
| half a sentence  | after sentences with their marks, four words without one, in an answer of 40     |

The last three look at letters of scripts that put a mark at a sentence's end, or know English only; Thai, Lao, Khmer,
Burmese and texts in code are left alone there, and a letter that ends with a greeting and a name on its last line. Not
covered: an answer cut between two sentences or two list items, and one cut inside a list item.
"""

import re

from selfinstruct.pool.novelty import UNSPACED

LONG = 40  # words of an answer that may have met a token limit; people leave out the last mark of shorter ones
_FENCE = re.compile(r"^[ \t]*(?:(?:[-*>]|\d{1,3}\.)[ \t]*)?(?:```|~~~)", re.MULTILINE)
_BARE_MARK = re.compile(r"\n[ \t]*(?:\d{1,3}[.)]|[-*•])\Z")
_SMALL_WORD = re.compile(r"(?<=[a-z,;] )(?:the|a|an|and|or|but|because|than|my|your|their|our|whose)\Z")
_LISTED = re.compile(r"\s*(?:[-*•·–#>|+]|\(?\w{1,3}[.)]\s|\w{1,20}:\s)")
_CODE_LIKE = re.compile(r"[=<>{}\[\]|\\#@_;^$~`]|\w\(|//|::|->")
# Three small letters before the mark, or "St. Nicholas" would end there.
_SENTENCE_END = re.compile(r"[^\W\d_A-Z]{3}[)”\"’]?[.!?؟।॥][\"”’)]?\s+(?=[^\W_])")
# A letter's end on the line of its last sentence: "Yours sincerely, Ada Lovelace", "- Harry from the docks".
_SIGNED = re.compile(
    r"(?:(?:yours|love|best|(?:many )?thanks|thank you|cheers|hugs|blessings|signed)\b[^.!?\n]{0,40}[,!:]\s+"
    r"|(?:yours (?:sincerely|truly|faithfully)|sincerely|(?:\w+ )?regards|best wishes|best of luck|respectfully"
    r"|cordially|faithfully|fondly|take care|all (?:the best|my love)|gratefully|affectionately"
    r"|(?:with|in) (?:\w+ ){0,2}(?:love|respect|regards?|gratitude|hope|thanks|appreciation|affection|admiration"
    r"|sympathy|friendship|solidarity|wishes)"
    r"|mit (?:freundlichen|besten|herzlichen) grüßen|(?:liebe|viele) grüße|cordialement|bien à (?:vous|toi)|amicalement"
    r"|atentamente|saludos|un abrazo|cordiali saluti|un abbraccio|atenciosamente|с уважением)\b[^.!?\n]{0,40}[,!:]?\s+"
    r"|[-–—~]{1,2}\s?(?=[^\W\d_]))(?:[^\s.!?]+(?:\s+|\Z)){1,8}\Z",
    re.IGNORECASE,
)
_DASHED = re.compile(r"[.!?]\s{1,3}[-–—~]{1,2}\s?[^\W\d_][^.!?]{0,60}\Z")
_ENDS_OPEN = re.compile(rf"[^\W_{UNSPACED}]\Z")


def breaks_off(text: str) -> str | None:
    """Why a text breaks off, and its end; None if it does not, or where it is unclear."""
    text = text.rstrip()
    if not text:
        return None
    last = text.rsplit("\n", 1)[-1].strip()
    why = _why(text, last)
    return f"{why}: ...{last[-80:]}" if why else None


def _why(text: str, last: str) -> str | None:
    fences = len(_FENCE.findall(text))
    if fences % 2:
        return "a code fence is not closed"
    if fences:
        return None
    if _BARE_MARK.search(text):
        return "a list item is empty"
    words = last.split()
    if _CODE_LIKE.search(last) or len(words) < 4 or _LISTED.match(last):
        return None
    if last[-1] in ":：":
        return "ends with a colon" if len(words) >= 5 or _SENTENCE_END.search(last) else None
    if last[-1] == "," and len(words) >= 8:
        return "ends with a comma"
    if len(words) >= 6 and _SMALL_WORD.search(last[-12:]):
        return "ends inside a phrase"
    if not _ENDS_OPEN.match(last[-1]):
        return None
    if last.count("(") > last.count(")") and len(words) >= 8:
        return "a bracket is not closed"
    rest = _SENTENCE_END.split(last)[-1]
    if (
        rest != last
        and not (_SIGNED.match(rest) or _DASHED.search(rest[-80:]))
        and len(rest.split()) >= 4
        and "://" not in rest
        and len(text.split()) >= LONG
    ):
        return "the last sentence is unfinished"
    return None
