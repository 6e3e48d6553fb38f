"""The session image: what is in the containers, and how it is built."""
