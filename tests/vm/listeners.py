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
while True:
    for key, _ in selector.select():
        print("visit", key.data, flush=True)
        try:
            if key.fileobj.type == socket.SOCK_DGRAM:
                key.fileobj.sendto(b"host", key.fileobj.recvfrom(64)[1])
            else:
                peer = key.fileobj.accept()[0]
                peer.sendall(b"host")
                peer.close()
        except OSError:
            pass
