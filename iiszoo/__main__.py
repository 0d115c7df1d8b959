"""`python -m iiszoo` is the program `iiszoo`."""

from iiszoo.cli.main import main

main()
