"""Marks in a question where a multimodal trainer puts an image, a sound or a video.

| mark                                                      | of                                  |
|-----------------------------------------------------------|-------------------------------------|
| <image>, <video>, <audio>                                 | LLaVA, LLaMA-Factory, ms-swift      |
| <image_1>, <image 1>, <|image_1|>                         | MMMU, Phi                           |
| [IMG], [IMG_END], [IMAGE_1]                               | Pixtral                             |
| <|image_pad|>, <|vision_start|>, <|AUDIO|>                | Qwen, Llama                         |
| <start_of_image>, <image_soft_token>, <IMG_CONTEXT>       | Gemma, InternVL                     |
| <img>a.jpg</img>, <audio>a.wav</audio>                    | Qwen-VL, Qwen-Audio                 |

HTML and XML have tags of the same names. So a plain <image>, and a file between two tags, count inside a text only
where nothing else in it looks like markup or speaks of it. An [image] is what people write who have none to show: it is
left to `check`, which does not refuse it.
"""

import re

from selfinstruct.patterns import pattern

_NAME = "(?:image|img|video|audio)"
_SURE = pattern(
    rf"<\|?{_NAME}[ _-]?\d{{1,3}}\|?>|<\|(?:{_NAME}|vision)(?:_(?:pad|start|bos|token))?\|>"
    r"|<(?:start_of_image|image_soft_token|image_placeholder|image_token|img_context|imagehere|im_patch)>"
    r"|(?-i:\[IMG(?:[ _]?(?:\d{1,3}|BREAK|END))?\]|\[IMAGE[ _]?\d{1,3}\])",
    re.IGNORECASE,
)
_FILE = pattern(rf"<({_NAME})>[^<>\n]{{1,500}}</\1>")
_PLAIN = pattern(r"<(?:image|video|audio)>")
_APART = pattern(r"(?:\A\s*|\n[^\S\n]{0,40})<(image|video|audio)>|<(image|video|audio)>\s*\Z")
_MARKUP = pattern(
    r"</|/>|<!|[`\"'“][<]|<[a-z]+ "
    r"|\b(?:html5?|xml|svg|rss|css|markup|tags?|elements?|attributes?|placeholders?|tokens?)\b",
    re.IGNORECASE,
)


def media_mark(text: str) -> str | None:
    """The mark of a question, if it has one."""
    if "<" not in text and "[" not in text:
        return None
    if found := _SURE.search(text):
        return found.group()
    if "<" not in text:
        return None
    if (found := _APART.search(text)) and f"</{found[1] or found[2]}>" not in text:
        return found.group().strip()
    rest, n_files = _FILE.subn("", text)
    found = _FILE.search(text) if n_files else _PLAIN.search(text)
    return found.group() if found and not _MARKUP.search(rest) else None
