"""origin.py ADDRESS PORT LOG: answers every request with its path, and /cut with a body that it
breaks off; writes each request's Authorization header into LOG, which is there once it listens."""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(sys.argv[3], "a") as log:
            print(self.headers.get("Authorization", "none"), file=log)
        if self.path in ("/cut", "/whole"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"4\r\nhalf\r\n")
            if self.path == "/cut":
                self.wfile.write(b"4\r\nha")
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")
            return
        text = body if self.command == "POST" else f"origin {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


with ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Origin) as server:
    open(sys.argv[3], "w").close()
    server.serve_forever()
