"""`python -m iiszoo` runs the program `iiszoo`."""

from iiszoo.cli.main import main

main()
