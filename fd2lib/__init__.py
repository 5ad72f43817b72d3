"""fd2lib: FD², fine-grained dataset distillation (arXiv 2603.25144), reproducible and resumable."""

__version__ = "0.1.0"

import sys

if "IPython" in sys.modules:  # perhaps a notebook, which first learns here whether its parameters are its own
    from fd2lib.ground.parameters import settle_injected

    settle_injected()
    del settle_injected
del sys
