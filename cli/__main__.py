"""`python -m cli`, which `./platformctl` runs."""

from cli.app import main

main()
