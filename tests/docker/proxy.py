"""proxy.py ADDRESS PORT TARGET TURNED_AWAY: in the place of docker's own proxy. The first TURNED_AWAY
connections are closed once their token has come, all others are carried to TARGET. Says "ready"."""
import socket
import sys
import threading

address, port, target, turned_away = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])


def carry(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


with socket.create_server((address, port)) as listener:
    print("ready", flush=True)
    for _ in range(turned_away):
        visitor, _ = listener.accept()
        visitor.recv(33, socket.MSG_WAITALL)
        visitor.close()
    while True:
        visitor, _ = listener.accept()
        onwards = socket.create_connection((target, port))
        threading.Thread(target=carry, args=(visitor, onwards), daemon=True).start()
        threading.Thread(target=carry, args=(onwards, visitor), daemon=True).start()
