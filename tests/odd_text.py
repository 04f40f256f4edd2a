"""Texts for whatever shows untrusted text: what must be named, and what must come through as it is."""

# First and last of each range of characters that cannot be seen, or turn around what stands beside them.
RANGES = (
    (0x0000, 0x0008), (0x000B, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C),
    (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE00FF), (0xE01F0, 0xE0FFF),
)  # fmt: skip
HIDDEN = [chr(code) for first, last in RANGES for code in range(first, last + 1)]
# For pages: what a store can hold, without most of what is reserved.
STORABLE = [c for c in HIDDEN if not ("\ud800" <= c <= "\udfff" or "\U000e0080" <= c < "\U000e0fff")]

ORDINARY = {
    "Latin": "Où est l’été ? Straße, žluťoučký kůň, İstanbul 👍🏽",
    "Greek": "Τι ώρα φεύγει το πλοίο; ⛵️",
    "Cyrillic": "Съешь ещё этих мягких французских булок ☕️",
    "Arabic": "كم عدد الأنهار في أفريقيا؟ 🌍",
    "Persian": "می‌خواهم یک نامه‌ بنویسم 📝",
    "Hebrew": "מה השעה? שָׁלוֹם 🕊️",
    "Devanagari": "नदी का नाम बताइए, क्‍ष और क्ष 🪔",
    "Thai": "แม่น้ำสายใดยาวที่สุด 🐘",
    "Hangul": "강의 이름을 말해 주세요 🇰🇷",
    "Japanese": "葛󠄀城市の川を三つ挙げてください。　🗾",
    "Chinese": "请列出三条河流，并说明理由。👩‍👩‍👧‍👦",
}


def names(characters: list[str]) -> list[str]:
    """As pages name them."""
    return [f"U+{ord(c):04X}" for c in characters]
