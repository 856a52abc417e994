"""A double of the service behind Codex's login, as far as Codex needs it: it checks the token
and the account, and plays a script of commands to run and things to say."""
import ctypes
import ctypes.util
import json

BODY_MAX = 16 << 20


def unpacked(request, body):
    """Codex sends its bodies compressed."""
    if request.headers.get("Content-Encoding") != "zstd":
        return body
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    room = ctypes.create_string_buffer(BODY_MAX)
    size = zstd.ZSTD_decompress(room, ctypes.c_size_t(BODY_MAX), body, ctypes.c_size_t(len(body)))
    return room.raw[:size]


class ResponsesApi:
    def __init__(self, token, account, turns):
        self.token, self.account, self.turns = token, account, turns
        self.seen, self.results = [], []
        self.during, self.found = None, []    # looked at while the agent waits for an answer

    def __call__(self, request):
        body = request.body()
        authorization = request.headers.get("Authorization", "")
        self.seen.append((request.command, request.path, authorization, request.headers.get("ChatGPT-Account-ID")))
        if authorization != "Bearer " + self.token:
            return request.answer(401, b'{"error":{"message":"invalid token"}}')
        if request.command == "POST" and request.path.split("?")[0] == "/backend-api/codex/responses":
            return self.respond(request, json.loads(unpacked(request, body)))
        request.answer(404, b'{"detail":"not here"}')

    def turn(self, asked):
        self.results = [item for item in asked["input"] if item.get("type", "").endswith("call_output")]
        if self.during:
            self.found.append(self.during())
        turn = self.turns[min(len(self.results), len(self.turns) - 1)]
        if isinstance(turn, str):
            return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": turn}]}
        command = turn[0]
        tools = {tool.get("name") for tool in asked.get("tools", ())}
        for name, arguments in (("exec_command", {"cmd": command}), ("shell_command", {"command": command}),
                                ("shell", {"command": ["sh", "-c", command]})):
            if name in tools:
                return {"type": "function_call", "name": name, "arguments": json.dumps(arguments),
                        "call_id": "call_%d" % len(self.results)}
        raise AssertionError("no tool that runs a command among %s" % tools)

    def respond(self, request, asked):
        request.begin_events()
        for kind, more in (("response.created", {"response": {"id": "resp_1"}}),
                           ("response.output_item.done", {"output_index": 0, "item": self.turn(asked)}),
                           ("response.completed", {"response": {"id": "resp_1", "usage": {
                               "input_tokens": 1, "input_tokens_details": None, "output_tokens": 1,
                               "output_tokens_details": None, "total_tokens": 2}}})):
            event = json.dumps({"type": kind, **more})
            request.chunk(b"event: %s\ndata: %s\n\n" % (kind.encode(), event.encode()))
        request.wfile.write(b"0\r\n\r\n")
