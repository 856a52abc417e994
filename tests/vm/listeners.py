"""What a guest must not reach: listeners of the outer host, of each kind, or of the addresses that
are named ("ADDRESS:PORT", "udp:ADDRESS:PORT"). Says something to whoever comes, and writes down
each visit. Prints "ready" once all listen."""
import os
import selectors
import socket
import sys

PLACES = [
    ("127.0.0.1:8080", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 8080)),
    ("127.0.0.17:9000", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.17", 9000)),
    ("::1:8080", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 8080)),
    ("udp:8053", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 8053)),
    ("unix:path", socket.AF_UNIX, socket.SOCK_STREAM, "/tmp/host.sock"),
    ("unix:abstract", socket.AF_UNIX, socket.SOCK_STREAM, "\0hostabs"),
]


def named(text):
    *kind, address, port = text.split(":")
    return text, socket.AF_INET, socket.SOCK_DGRAM if kind else socket.SOCK_STREAM, (address, int(port))


selector = selectors.DefaultSelector()
for name, family, kind, address in [named(text) for text in sys.argv[1:]] or PLACES:
    s = socket.socket(family, kind)
    s.bind(address)
    if kind == socket.SOCK_STREAM:
        s.listen(16)
    selector.register(s, selectors.EVENT_READ, name)
if len(sys.argv) == 1:
    os.chmod("/tmp/host.sock", 0o777)
print("ready", flush=True)


def answer(listener):
    if listener.type == socket.SOCK_DGRAM:
        listener.sendto(b"host", listener.recvfrom(512)[1])
        return
    peer = listener.accept()[0]
    # Until the other side is done: an end that comes at once can reach a guest before its connect() is over.
    selector.register(peer, selectors.EVENT_READ)
    peer.sendall(b"host")


def hear(peer):
    try:
        more = peer.recv(64)
    except OSError:
        more = b""
    if not more:
        selector.unregister(peer)
        peer.close()


while True:
    for key, _ in selector.select():
        if not key.data:
            hear(key.fileobj)
            continue
        print("visit", key.data, flush=True)
        try:
            answer(key.fileobj)
        except OSError:
            pass
