"""Sends texts and bytes of many sizes through a WebSocket, and wants each of them back."""
import sys

import websocket

try:
    socket = websocket.create_connection(sys.argv[1], timeout=60)
except (websocket.WebSocketException, OSError) as e:
    print("refused")
    print(e, file=sys.stderr)
    sys.exit(3)
echoed = 0
for size in (0, 1, 125, 126, 65535, 65536, 300000):
    for sent in ("x" * size, b"y" * size):
        (socket.send if isinstance(sent, str) else socket.send_binary)(sent)
        if socket.recv() != sent:
            print("wrong answer", echoed)
            sys.exit(1)
        echoed += 1
print("echoed", echoed)
socket.close()
