"""Reads a stream of events and says of each that it has seen it, at once."""
import sys
import urllib.request

base = sys.argv[1]
with urllib.request.urlopen(base + "/events") as stream:
    for line in stream:
        if line.startswith(b"id: "):
            number = int(line[4:])
            urllib.request.urlopen(base + "/seen/%d" % number).close()
        elif line.startswith(b"event: done"):
            print("saw", number + 1)
