"""The doctor: looks at everything sessions stand on, changes nothing, names fault and cure."""
