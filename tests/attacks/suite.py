"""tests/attacks/run starts this in a network of its own."""
import guest
import launcher
import world

world.main([guest, launcher])
