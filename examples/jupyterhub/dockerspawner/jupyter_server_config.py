"""How each user's server behaves. It can use the engine, which is as good as being root on the
machine: nobody's code may run in it, only in its sessions."""

from cognition_jupyter.isolated import configure

c = get_config()  # noqa: F821

configure(c)
c.ServerApp.root_dir = "/srv/cognition"
