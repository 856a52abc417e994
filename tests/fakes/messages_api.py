"""A double of the Anthropic Messages API, as far as Claude Code needs it: it checks the token,
and plays a script. Each turn is a text or a use of a tool; turns are told apart by how many
results of tools the conversation holds, so side requests don't disturb the script."""
import json


def text(words):
    return {"type": "text", "text": words}


def tool(name, number, **arguments):
    return {"type": "tool_use", "id": "toolu_%08d" % number, "name": name, "input": arguments}


class MessagesApi:
    def __init__(self, token, turns):
        self.token, self.turns = token, turns
        self.seen, self.bodies, self.results = [], [], []
        self.during, self.found = None, []    # looked at while the agent waits for an answer

    def __call__(self, request):
        body = request.body()
        authorization = request.headers.get("Authorization", "")
        self.seen.append((request.command, request.path, authorization))
        self.bodies.append(body)
        if authorization != "Bearer " + self.token:
            return request.answer(401, json.dumps({"type": "error", "error": {
                "type": "authentication_error", "message": "invalid bearer token"}}).encode())
        path = request.path.split("?")[0]
        if request.command == "POST" and path == "/v1/messages":
            return self.message(request, json.loads(body))
        if request.command == "POST" and path == "/v1/messages/count_tokens":
            return request.answer(200, b'{"input_tokens": 10}')
        request.answer(404, b'{"type":"error","error":{"type":"not_found_error","message":"not here"}}')

    def turn(self, asked):
        results = []
        for message in asked["messages"]:
            if message["role"] == "user" and isinstance(message["content"], list):
                results += [part for part in message["content"] if part.get("type") == "tool_result"]
        # A request without tools is for a title, a topic or the like.
        if not asked.get("tools"):
            return text("ok")
        self.results = results
        if self.during:
            self.found.append(self.during())
        return self.turns[min(len(results), len(self.turns) - 1)]

    def message(self, request, asked):
        block = self.turn(asked)
        reason = "tool_use" if block["type"] == "tool_use" else "end_turn"
        message = {"id": "msg_01", "type": "message", "role": "assistant", "model": asked["model"], "content": [],
                   "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
        if not asked.get("stream"):
            message.update(content=[block], stop_reason=reason)
            return request.answer(200, json.dumps(message).encode())
        if block["type"] == "text":
            start, delta = dict(block, text=""), {"type": "text_delta", "text": block["text"]}
        else:
            start, delta = dict(block, input={}), {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events = [{"type": "message_start", "message": message},
                  {"type": "content_block_start", "index": 0, "content_block": start},
                  {"type": "content_block_delta", "index": 0, "delta": delta},
                  {"type": "content_block_stop", "index": 0},
                  {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None},
                   "usage": {"output_tokens": 5}},
                  {"type": "message_stop"}]
        request.begin_events()
        for event in events:
            request.chunk(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()))
        request.wfile.write(b"0\r\n\r\n")
