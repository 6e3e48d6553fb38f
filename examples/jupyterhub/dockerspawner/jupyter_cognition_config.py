"""Where projects and their memory are, for the server and for `jupyter cognition`.

What a session is given must be there for the engine, too: a volume, a directory of its machine.
jupyterhub_config.py mounts both.
"""

c = get_config()  # noqa: F821

c.ProjectStore.root = "/srv/cognition/workspaces"
c.RamDirectories.hot_root = "/run/cognition"
