"""tests/attacks/run starts this in a network of its own."""
import guest
import launcher
import machine
import world

world.main([guest, launcher] + [machine] * world.MACHINE)
