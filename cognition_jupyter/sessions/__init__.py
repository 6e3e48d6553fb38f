"""Sessions over REST: ordinary Jupyter kernels of a project."""
