"""Holds every crate of Cargo.lock against the licences, bans and sources of deny.toml.

cargo-deny does the same and more, but there is no current build of it to install: a bare machine would have to compile it. It
runs in the CI workflow. This reads what crates declare; cargo-deny also compares the texts of licences and asks for advisories.
"""

import json
import re
import subprocess
import sys
import tomllib

# Old crates write OR as a slash.
SLASH = re.compile(r"\s*/\s*")
TOKEN = re.compile(r"[()]|[^\s()]+")


def permitted(expression, allowed):
    """Whether a choice out of an SPDX expression needs only allowed licences. AND binds tighter than OR."""
    tokens = TOKEN.findall(SLASH.sub(" OR ", expression)) + ["end"]

    def either():
        result = both()
        while tokens[0] == "OR":
            tokens.pop(0)
            result = both() or result
        return result

    def both():
        result = one()
        while tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        token = tokens.pop(0)
        if token == "(":
            result = either()
            if tokens.pop(0) != ")":
                raise ValueError(expression)
            return result
        if token in (")", "AND", "OR", "WITH", "end"):
            raise ValueError(expression)
        if tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allowed

    result = either()
    if tokens != ["end"]:
        raise ValueError(expression)
    return result


def problems(packages, rules):
    licences = set(rules["licenses"]["allow"])
    exceptions = {exception["crate"]: set(exception["allow"]) for exception in rules["licenses"].get("exceptions", [])}
    registries = {package["source"] for package in packages if (package["source"] or "").startswith("registry+")}
    if len(registries) > 1:
        yield f"crates come from more than one registry: {sorted(registries)}"
    banned = {ban["crate"]: ban["reason"] for ban in rules["bans"]["deny"]}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        expression = package["license"]
        try:
            if not expression:
                yield f"{name} declares no licence"
            elif not permitted(expression, licences | exceptions.get(package["name"], set())):
                yield f"{name} is licensed as {expression}, which deny.toml does not allow"
        except (ValueError, IndexError):
            yield f"{name} declares a licence that cannot be read: {expression}"
        # A crate without a source is of the workspace.
        if package["source"] is not None and package["source"] not in registries:
            yield f"{name} comes from {package['source']}, which deny.toml does not allow"
        if package["name"] in banned:
            yield f"{name} is banned: {banned[package['name']]}"
        for dependency in package["dependencies"] if package["source"] is None else []:
            if dependency["req"] == "*" and "path" not in dependency:
                yield f"{name} accepts any version of {dependency['name']}"


def main():
    with open("deny.toml", "rb") as file:
        rules = tomllib.load(file)
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], check=True, stdout=subprocess.PIPE)
    packages = json.loads(metadata.stdout)["packages"]
    found = sorted(problems(packages, rules))
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{len(packages)} crates, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
