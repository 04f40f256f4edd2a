"""What several voters say about the same rows, and what their votes are worth: pure functions on arrays.

votes      a file of votes
models     label models: votes combined into probabilities
agreement  how far voters agree
combining  the combination, measured on gold labels where there are some
report     the combination in words
"""

from typing import Literal

Select = Literal["least-confidence", "entropy", "random"]
ACTIVE: tuple[Select, ...] = ("least-confidence", "entropy", "random")  # selections of active labeling
NAMES = ("dawid-skene", "mace", "majority", "weighted")  # of label models; the first is the default
