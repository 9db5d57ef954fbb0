#!/usr/bin/env python3
# Writes tests/data/sigv4/vectors.json: requests of ours, signed by botocore. Run with an interpreter that has botocore;
# the signer's unit test compares its canonical requests, strings to sign and signatures with the file.
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import pathlib
import urllib.parse

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

LONG_TERM = ("AKIAVECTORSEXAMPLE01", "Vq3/Example+SecretKeyForVectorsOnly00001", "")
TEMPORARY = ("ASIAVECTORSEXAMPLE02", "Zz9/Example+SecretKeyForVectorsOnly00002", "FwoGZXIvYXdzEXAMPLE//////////wEaDToken+with/all=kinds==")
JSON_HEADERS = [["Content-Type", "application/x-amz-json-1.1"], ["X-Amz-Target", "secretsmanager.GetSecretValue"]]


def case(name, method="GET", url="https://example.amazonaws.com/", headers=(), body="", keys=LONG_TERM,
         region="eu-central-1", service="secretsmanager", time="2026-11-23T10:00:00Z", s3=False):
    return {"name": name, "method": method, "url": url, "headers": [list(h) for h in headers], "body": body,
            "keys": keys, "region": region, "service": service, "time": time, "s3": s3}


CASES = [
    case("get-secret-value", "POST", "https://secretsmanager.eu-central-1.amazonaws.com/", JSON_HEADERS,
         '{"SecretId":"prod/db","VersionStage":"AWSCURRENT"}', TEMPORARY),
    case("utf8-body", "POST", "https://secretsmanager.eu-central-1.amazonaws.com/", JSON_HEADERS,
         '{"SecretId":"größe/鍵"}'),
    case("assume-role-form", "POST", "https://sts.us-gov-west-1.amazonaws.com/",
         [["Content-Type", "application/x-www-form-urlencoded; charset=utf-8"]],
         "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws-us-gov%3Aiam%3A%3A123456789012%3Arole%2Fapp",
         region="us-gov-west-1", service="sts"),
    case("port-in-host", "POST", "http://127.0.0.1:4566/", JSON_HEADERS, "{}"),
    case("default-port", "POST", "https://example.com:443/", JSON_HEADERS, "{}"),
    case("ipv6-host", "POST", "http://[::1]:2773/", JSON_HEADERS, "{}"),
    case("unsigned-headers", "POST", "https://example.com/",
         JSON_HEADERS + [["User-Agent", "keyturn/1"], ["Expect", "100-continue"], ["X-Amzn-Trace-Id", "Root=1"]], "{}"),
    case("blanks-in-headers", headers=[["X-Blank", "  a   b\tc  "], ["X-Quoted", '"a   b"'], ["X-Empty", ""]]),
    case("repeated-headers", headers=[["X-Two", "b"], ["x-two", "a"], ["X-TWO", " c "]]),
    case("header-names-sort-by-lower-case", headers=[["Zebra", "1"], ["apple", "2"], ["Apple-Pie", "3"]]),
    case("query-pairs-sort-as-pairs", url="https://example.com/?a-b=1&a=2&a=1&A=3"),
    case("query-empty-values", url="https://example.com/?b=&a&c=%20"),
    case("query-encoded", url="https://example.com/?x=%2Fa%2Bb%26c&%C3%A9=%E9%8D%B5"),
    case("query-equals-in-value", url="https://example.com/?x=a%3Db&y=c%3D"),
    case("path-encoded-once-is-encoded-again", url="https://example.com/a%20b/c%2Fd"),
    case("path-dots-and-slashes", url="https://example.com//a/./b/../c//d/"),
    case("path-above-root", url="https://example.com/../../a"),
    case("path-reserved-characters", url="https://example.com/a:b@c!d$e,f;g=h*i(j)"),
    case("object-store-path", "PUT", "https://bucket.s3.amazonaws.com/a//b/../c%20d", body="data", service="s3", s3=True),
    case("day-before-the-clock-turns", "POST", "https://example.com/", JSON_HEADERS, "{}", time="2027-12-31T23:59:59Z"),
    case("leap-day", "POST", "https://example.com/", JSON_HEADERS, "{}", TEMPORARY, time="2028-02-29T00:00:00Z"),
]


def sign(entry, query):
    moment = datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%SZ")
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment
    credentials = Credentials(entry["keys"][0], entry["keys"][1], entry["keys"][2] or None)
    request = AWSRequest(entry["method"], entry["url"], data=entry["body"].encode())
    for name, value in entry["headers"]:
        request.headers.add_header(name, value)
    if query:
        signer = botocore.auth.SigV4QueryAuth(credentials, entry["service"], entry["region"], expires=900)
    else:
        kind = botocore.auth.S3SigV4Auth if entry["s3"] else botocore.auth.SigV4Auth
        signer = kind(credentials, entry["service"], entry["region"])
    parts = {}
    inner_canonical, inner_string = signer.canonical_request, signer.string_to_sign

    def canonical_request(r):
        parts["canonicalRequest"] = inner_canonical(r)
        return parts["canonicalRequest"]

    def string_to_sign(r, canonical):
        parts["stringToSign"] = inner_string(r, canonical)
        return parts["stringToSign"]

    signer.canonical_request, signer.string_to_sign = canonical_request, string_to_sign
    signer.add_auth(request)
    if query:
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query))
        parts["signature"] = parameters["X-Amz-Signature"]
    else:
        parts["signature"] = request.headers["Authorization"].rpartition("Signature=")[2]
    return parts


def can_presign(entry):
    """False where botocore presigns another request: it moves a body into the query and drops repeated names."""
    names = [field.partition("=")[0] for field in urllib.parse.urlsplit(entry["url"]).query.split("&")]
    return not entry["body"] and not entry["s3"] and len(names) == len(set(names))


def main():
    out = []
    for entry in CASES:
        result = {k: entry[k] for k in ("name", "method", "url", "headers", "body", "region", "service", "time")}
        result["accessKeyId"], result["secretAccessKey"], result["sessionToken"] = entry["keys"]
        result["objectStore"] = entry["s3"]
        result["header"] = sign(entry, query=False)
        if can_presign(entry):
            result["query"] = sign(entry, query=True)
        out.append(result)
    path = pathlib.Path(__file__).resolve().parent.parent / "tests/data/sigv4/vectors.json"
    text = json.dumps({"madeWith": "botocore " + botocore.__version__, "vectors": out}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{len(out)} requests, {sum('query' in v for v in out)} of them presigned too")


if __name__ == "__main__":
    main()
