"""`python -m cli`, which `./platformctl` runs."""

import sys

if __name__ == "__main__":
    try:
        from cli.app import main

        main()
    except KeyboardInterrupt:  # before `main` takes it, while modules are imported, or after
        print("error: cancelled", file=sys.stderr)
        sys.exit(8)  # Exit.CANCELLED; importing it may be what was interrupted
