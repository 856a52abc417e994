"""A double of an npm registry: packages with one version each, made here."""
import base64
import hashlib
import io
import json
import tarfile
import urllib.parse


def tarball(name):
    files = {"package/package.json": json.dumps({"name": name, "version": "1.0.0", "main": "index.js"}),
             "package/index.js": "module.exports = %s;\n" % json.dumps("this is " + name)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Registry:
    def __init__(self, base, names):
        self.base, self.packages = base, {name: tarball(name) for name in names}

    def __call__(self, request):
        path = urllib.parse.unquote(request.path.split("?")[0]).lstrip("/")
        name, _, file = path.partition("/-/")
        data = self.packages.get(name)
        if data is None:
            return request.answer(404, b'{"error":"Not found"}')
        if file:
            return request.answer(200, data, "application/octet-stream")
        url = "%s/%s/-/%s-1.0.0.tgz" % (self.base, name, name.split("/")[-1])
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        version = {"name": name, "version": "1.0.0", "main": "index.js", "dist": {
            "tarball": url, "integrity": integrity, "shasum": hashlib.sha1(data).hexdigest()}}
        document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        request.answer(200, json.dumps(document).encode())
