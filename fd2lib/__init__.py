"""fd2lib: FD², fine-grained dataset distillation (arXiv 2603.25144), reproducible and resumable."""

__version__ = "0.1.0"
