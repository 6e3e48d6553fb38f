"""Kernelspecs that are not allowed can't be started either."""

from __future__ import annotations

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel


class AllowedKernelSpecs(KernelSpecManager):
    """Jupyter's own hides what `allowed_kernelspecs` leaves out, but starts it when named."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Called for every start. Raises NoSuchKernel."""
        if self.allowed_kernelspecs and kernel_name not in self.allowed_kernelspecs:
            raise NoSuchKernel(kernel_name)
        return super().get_kernel_spec(kernel_name)
