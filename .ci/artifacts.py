"""Checks what `sam build` made: for each function of template.yaml a `bootstrap` that Lambda can start."""

import os
import re
import sys

from samtranslator.yaml_helper import yaml_parse

BUILT = ".aws-sam/build"
# Of Amazon Linux 2023, which provided.al2023 is.
GLIBC = (2, 34)
# Of an x86-64, 64-bit, little-endian ELF file: identification at 0, machine at 18.
IDENTIFICATION, MACHINE = b"\x7fELF\x02\x01", b"\x3e\x00"


def problem(path):
    if not os.path.isfile(path):
        return "is missing"
    if not os.access(path, os.X_OK):
        return "is not executable"
    with open(path, "rb") as file:
        binary = file.read()
    if not binary.startswith(IDENTIFICATION) or binary[18:20] != MACHINE:
        return "is not an x86_64 ELF file"
    needed = max((tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)", binary)), default=(0, 0))
    if needed > GLIBC:
        return f"needs glibc {needed[0]}.{needed[1]}; the runtime has {GLIBC[0]}.{GLIBC[1]}"
    return None


def main():
    with open("template.yaml", encoding="utf-8") as file:
        resources = yaml_parse(file)["Resources"]
    functions = [name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function"]
    found = [(path, what) for name in functions if (what := problem(path := f"{BUILT}/{name}/bootstrap"))]
    for path, what in found:
        print(f"{path} {what}", file=sys.stderr)
    print(f"{len(functions)} functions, {len(found)} problems")
    return 1 if found or not functions else 0


if __name__ == "__main__":
    sys.exit(main())
