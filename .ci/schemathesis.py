"""Property-based tests of the REST API by its contract: schemathesis, all checks, JSON. Starts Quire, runs, prints totals, stops it."""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

# Tokens live for ten minutes, and so must a run.
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "540"))
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "25")
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
PASSWORD = "correct horse battery"


class Quire:
    """A local cloud over a data folder."""

    def __init__(self, data, *parameters):
        command = ["cargo", "run", "--quiet", "--locked", "--", "--port", "0", "--data", data]
        for parameter in ("WritesPerMinute=1000000", "AnonymousWritesPerMinute=1000000", "LogLevel=error", *parameters):
            command += ["--parameter", parameter]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if found := re.search(r"Quire runs at (\S+)", line):
                self.url = found[1]
                break
        else:
            sys.exit("Quire did not start")
        # The rest goes to a file, for nobody reads the pipe.
        self.logs = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=open(os.path.join(data, "logs"), "a"))

    def post(self, path, body, token=None):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.logs.wait()


def json_only(contract):
    """The contract without the other two forms, which schemathesis cannot write."""
    if isinstance(contract, dict):
        if "content" in contract and "application/json" in contract["content"]:
            kept = {form: content for form, content in contract["content"].items() if form.endswith("json")}
            contract = contract | {"content": kept}
        return {name: json_only(value) for name, value in contract.items()}
    return [json_only(item) for item in contract] if isinstance(contract, list) else contract


def main():
    with tempfile.TemporaryDirectory() as data:
        quire = Quire(data)
        try:
            admin = quire.post("/api/v1/users", {"username": "admin", "email": "admin@example.com", "password": PASSWORD})
        finally:
            quire.stop()
        quire = Quire(data, f"FirstAdmin={admin['userId']}")
        try:
            token = quire.post("/api/v1/sessions", {"username": "admin", "password": PASSWORD})["accessToken"]
            with urllib.request.urlopen(quire.url + "/openapi.json") as reply:
                contract = json_only(json.load(reply))
            path = os.path.join(data, "openapi.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(contract, file)
            command = ["st", "--config-file", ".ci/schemathesis.toml", "run", path, "--url", quire.url, "--header", f"Authorization: Bearer {token}"]
            command += ["--checks", "all", "--mode", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "2"]
            command += sys.argv[1:]
            return subprocess.run(command, timeout=SECONDS, check=False).returncode
        finally:
            quire.stop()


if __name__ == "__main__":
    sys.exit(main())
