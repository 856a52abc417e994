"""dial.py ADDRESS PORT HEX: sends these bytes, then a request to the proxy; prints what comes
back until the other side closes, and "closed" or "timeout"."""
import socket
import sys

s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
s.settimeout(10)
try:
    s.sendall(bytes.fromhex(sys.argv[3]))
    s.sendall(b"GET /.well-known/bot-bottle HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while piece := s.recv(4096):
        sys.stdout.write(piece.decode("latin-1"))
    print("closed")
except ConnectionError:
    print("closed")
except TimeoutError:
    print("timeout")
