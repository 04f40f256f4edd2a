"""`python -m selfinstruct` is `selfinstruct`."""

from selfinstruct.cli import main

main()
