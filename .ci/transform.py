"""Transforms template.yaml as CloudFormation would, without an AWS account, and prints the result as JSON.

cfn-lint sees on the result the roles, permissions and event source mappings that the SAM form only implies.
"""

import json
import os
import sys

# The transform asks for the partition of a region. Which one makes no difference to this template.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """Stands for the list of AWS managed policies, which is read from an account. The template names none of them."""

    def load(self):
        return {}


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file)
    # What `sam package` does: local code becomes an object in a bucket.
    template["Globals"]["Function"]["CodeUri"] = {"Bucket": "artifacts", "Key": "function.zip"}
    json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout, indent=2)


if __name__ == "__main__":
    main(sys.argv[1])
