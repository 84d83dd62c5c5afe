"""Python's ThreadingHTTPServer, answering as the other peers do: threading.py HOST:PORT BODY_BYTES"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

host, port = sys.argv[1].rsplit(":", 1)
PAGE = b"x" * int(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        self.answer("text/html", PAGE)

    def do_POST(self):
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer("application/json", b'{"status":"success"}')

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024


Server((host, int(port)), Handler).serve_forever()
