"""`python -m hilum` is `hilum`."""

import sys

from hilum.cli.app import main

sys.exit(main())
