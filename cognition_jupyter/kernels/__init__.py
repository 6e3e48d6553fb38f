"""Kernels in containers: the launcher (the one path to a container), provisioner and kernelspec."""
