"""A user's program with boto3. For each line on its standard input it makes one call, with one client for its whole life.

The line is how many milliseconds the clock by which botocore judges the life of a credential is ahead of the machine's.
The answer is a line of JSON: who AWS says we are and the access key that signed the call, or the error.
"""

import datetime
import json
import re
import sys
import types

import boto3
import botocore.credentials


class Ahead(datetime.datetime):
    by = datetime.timedelta()

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + cls.by


botocore.credentials.datetime = types.SimpleNamespace(datetime=Ahead, timedelta=datetime.timedelta)
client = boto3.client("sts")
signed = {}


def note(request, **_):
    signed["by"] = re.search(r"Credential=(\w+)/", str(request.headers["Authorization"])).group(1)


client.meta.events.register("before-send.sts", note)
for line in sys.stdin:
    Ahead.by = datetime.timedelta(milliseconds=int(line))
    try:
        answer = {"arn": client.get_caller_identity()["Arn"], "accessKeyId": signed["by"]}
    except Exception as error:  # whatever it is, the test shall see it
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
