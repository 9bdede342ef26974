"""Property-based tests of the REST API by its contract: schemathesis, all checks, JSON. Starts Quire, runs, prints totals, stops it.

What is left out, and why, is in schemathesis.toml and schemathesis_hooks.py. Arguments go on to schemathesis."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter

# Tokens live for ten minutes, and so must a run.
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "570"))
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "60")
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
PASSWORD = "correct horse battery"
HERE = os.path.dirname(os.path.abspath(__file__))


class Quire:
    """A local cloud over a data folder."""

    def __init__(self, data, *parameters):
        # Not through `cargo run`, which would not pass on the signal that stops it.
        subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "quire"], check=True)
        target = os.environ.get("CARGO_TARGET_DIR", "target")
        command = [os.path.join(target, "debug", "quire"), "--port", "0", "--data", data]
        for parameter in ("WritesPerMinute=1000000", "AnonymousWritesPerMinute=1000000", "RequireVerifiedEmail=false", "LogLevel=error", *parameters):
            command += ["--parameter", parameter]
        self.token = None
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if found := re.search(r"Quire runs at (\S+)", line):
                self.url = found[1]
                break
        else:
            sys.exit("Quire did not start")
        # The functions' errors say why a request failed.
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            sys.stderr.write(line)

    def send(self, method, path, body=None):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {self.token}"} if self.token else {})
        request = urllib.request.Request(self.url + path, body and json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read() or b"null")

    def sign_in(self, name):
        self.token = self.send("POST", "/api/v1/sessions", {"username": name, "password": PASSWORD})["accessToken"]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.reader.join()


def register(quire, name):
    return quire.send("POST", "/api/v1/users", {"username": name, "email": f"{name}@example.com", "password": PASSWORD})["userId"]


def things(quire, caller):
    """What requests are sent to, by what they do to it: an operation that destroys must not take what others need."""

    def user(name):
        return {"userId": register(quire, name), "followerId": caller}

    def post(title, status=None):
        post = quire.send("POST", "/api/v1/posts", {"title": title, "content": "Some *text*.", "tags": ["fuzz"], "language": "en"})
        path = f"/api/v1/posts/{post['postId']}"
        if status:
            quire.send("PATCH", path, {"status": status})
        return {"postId": post["postId"]}

    def comment(post):
        comment = quire.send("POST", f"/api/v1/posts/{post['postId']}/comments", {"content": "Well said."})
        return {**post, "commentId": comment["commentId"]}

    def all_of(name, users=1, posts=1):
        place = post(f"Commented by {name}", "published")
        return {
            "users": [user(f"{name}-{number}") for number in range(users)],
            "posts": [post(f"{name} {number}", "published" if name == "read" else None) for number in range(posts)],
            "comments": [comment(place) for _ in range(posts)],
        }

    return {"caller": caller, "read": all_of("read", 2, 2), "change": all_of("change", 2, 4), "destroy": all_of("destroy", 6, 12)}


def json_only(contract):
    """The contract without the other two forms, which schemathesis cannot write."""
    if isinstance(contract, dict):
        if isinstance(content := contract.get("content"), dict) and any(form.endswith("json") for form in content):
            contract = contract | {"content": {form: schema for form, schema in content.items() if form.endswith("json")}}
        return {name: json_only(value) for name, value in contract.items()}
    return [json_only(item) for item in contract] if isinstance(contract, list) else contract


def totals(path):
    """What schemathesis has written down, counted."""
    operations, cases, checks, phases, statuses = set(), 0, Counter(), Counter(), Counter()
    with open(path, encoding="utf-8") as file:
        for line in file:
            if scenario := json.loads(line).get("ScenarioFinished"):
                # What is empty is left out.
                recorder = {"cases": {}, "interactions": {}, "checks": {}} | scenario["recorder"]
                cases += len(recorder["cases"])
                phases[scenario["phase"]] += len(recorder["cases"])
                if scenario["phase"] != "stateful":
                    operations.add(recorder["label"])
                statuses.update(f"{sent['response']['status_code'] // 100}xx" for sent in recorder["interactions"].values() if sent.get("response"))
                checks.update((check["name"], check["status"]) for results in recorder["checks"].values() for check in results)
    print(f"{len(operations)} operations, {cases} cases ({', '.join(f'{name} {count}' for name, count in phases.items())})")
    print("replies: " + ", ".join(f"{status} {count}" for status, count in sorted(statuses.items())))
    for name in sorted({name for name, _ in checks}):
        print(f"{name}: {checks[name, 'success']} passed, {checks[name, 'failure']} failed")
    findings = sum(count for (_, status), count in checks.items() if status == "failure")
    print(f"{sum(checks.values())} checks, {findings} findings")


def main():
    started = time.monotonic()
    os.chdir(os.path.dirname(HERE))
    with tempfile.TemporaryDirectory() as data:
        quire = Quire(data)
        try:
            admin = register(quire, "admin")
        finally:
            quire.stop()
        quire = Quire(data, f"FirstAdmin={admin}")
        try:
            quire.sign_in("admin")
            # Admins may not raise themselves.
            caller = register(quire, "caller")
            quire.send("PUT", f"/api/v1/users/{caller}/roles", {"roles": ["reader", "commenter", "author", "editor", "admin"]})
            quire.sign_in("caller")
            environment = os.environ | {"QUIRE_THINGS": json.dumps(things(quire, caller))}
            contract, events = os.path.join(data, "openapi.json"), os.path.join(data, "events.ndjson")
            with open(contract, "w", encoding="utf-8") as file:
                json.dump(json_only(quire.send("GET", "/openapi.json")), file)
            print(f"prepared in {time.monotonic() - started:.0f} s")
            quire.sign_in("caller")
            command = ["st", "--config-file", os.path.join(HERE, "schemathesis.toml"), "run", contract, "--url", quire.url]
            command += ["--header", f"Authorization: Bearer {quire.token}", "--max-examples", EXAMPLES, "--seed", SEED]
            command += ["--report", "ndjson", "--report-ndjson-path", events, *sys.argv[1:]]
            outcome = subprocess.run(command, env=environment, timeout=SECONDS, check=False).returncode
            totals(events)
            print(f"{time.monotonic() - started:.0f} s")
            return outcome
        finally:
            quire.stop()


if __name__ == "__main__":
    sys.exit(main())
