"""`python -m finetune.demo [--out outputs/demo-student] [--seed 0] [--tiny | --data FILE]`."""

import argparse
import shlex
import sys
from pathlib import Path

from finetune.demo.graded import kinds_of, share
from finetune.demo.steps import Recipe, run, run_on_file, with_pretrained
from selfinstruct.errors import SelfInstructError


def main() -> None:
    """Run the demo; a user's mistake is reported as a message, and Ctrl-C exits with code 130."""
    parser = argparse.ArgumentParser(
        description="Train a small student on the simulated teacher, and see what it learned."
    )
    parser.add_argument("--out", type=Path, default=Path("outputs/demo-student"), help="output folder")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--tiny", action="store_true", help="train a model of a million parameters from scratch")
    parser.add_argument("--data", type=Path, help="labelled file, of any training format, instead of simulated tasks")
    asked = parser.parse_args()
    if asked.tiny and asked.data:
        parser.error("--data is for the pretrained model; leave out --tiny")
    try:
        if asked.data:
            run_on_file(asked.out, asked.data, with_pretrained(asked.seed))
            print(f"To talk to it: selfinstruct chat {shlex.quote(str(asked.out / 'student'))}")
            return
        result = run(asked.out, Recipe(seed=asked.seed) if asked.tiny else with_pretrained(asked.seed))
    except SelfInstructError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("Stopped. The same command resumes.")
        sys.exit(130)
    after, guess = (
        " and ".join(f"{share(result.scores, model, kind):.0%} of {kind}" for kind in kinds_of(result.scores))
        for model in ("after", "guess")
    )
    print(f"\nThe student gets {after} right, after {result.seconds / 60:.1f} minutes.")
    print(f"Always giving a family's most frequent answer gets {guess}.")
    print(f"To talk to it: selfinstruct chat {shlex.quote(str(asked.out / 'student'))}")
    print(f"The comparison:  {asked.out / 'comparison' / 'comparison.html'}")


main()
