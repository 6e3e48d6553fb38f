"""Who answers in a session: a responder for code, one for agents, and those of other packages."""
