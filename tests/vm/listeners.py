"""What a guest must not reach: listeners of the outer host, of each kind. Says something to
whoever comes, and writes down each visit. Prints "ready" once all listen."""
import os
import selectors
import socket

PLACES = [
    ("127.0.0.1:8080", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 8080)),
    ("127.0.0.17:9000", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.17", 9000)),
    ("::1:8080", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 8080)),
    ("udp:8053", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 8053)),
    ("unix:path", socket.AF_UNIX, socket.SOCK_STREAM, "/tmp/host.sock"),
    ("unix:abstract", socket.AF_UNIX, socket.SOCK_STREAM, "\0hostabs"),
]

selector = selectors.DefaultSelector()
for name, family, kind, address in PLACES:
    s = socket.socket(family, kind)
    s.bind(address)
    if kind == socket.SOCK_STREAM:
        s.listen(16)
    selector.register(s, selectors.EVENT_READ, name)
os.chmod("/tmp/host.sock", 0o777)
print("ready", flush=True)


def answer(listener):
    if listener.type == socket.SOCK_DGRAM:
        listener.sendto(b"host", listener.recvfrom(64)[1])
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
