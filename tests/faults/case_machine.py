"""The steps that a machine adds to a launch: they fail, or somebody is killed, at each moment."""
def cases():
    return ()
