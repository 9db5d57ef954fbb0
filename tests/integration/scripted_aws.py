"""An AWS endpoint that a test scripts: counts calls, fails on demand, offers the await protocol.

moto's server is the independent implementation; this one exists for what moto cannot do: throttling, denial, pages,
skewed clocks, push. It checks nothing that a test does not ask for.
"""
import base64
import contextlib
import http.server
import json
import ssl
import sys
import threading
import time
import urllib.parse
import uuid
from email.utils import formatdate

STS = """<{op}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{op}Result><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>
<Expiration>{expires}</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/app/x</Arn>
<AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></{op}Result><ResponseMetadata><RequestId>1</RequestId>
</ResponseMetadata></{op}Response>"""


class Refusal(Exception):
    """An AWS error answer."""

    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class ScriptedAws:
    """State and script. All members may be changed while the server runs."""

    def __init__(self):
        self.lock = threading.Condition()
        self.secrets = {}      # name -> {version id: value}
        self.stages = {}       # name -> {stage: version id}
        self.parameters = {}   # name -> (type, value, version)
        self.calls = []        # (operation, parameters, headers)
        self.script = {}       # operation -> function(parameters) that may raise Refusal
        self.offers_await = False
        self.page_size = 20
        self.cut_after = {}    # operation -> bytes of its answer's body; then the connection ends
        self.date_offset = 0.0
        self.role_of_key = {}  # access key id -> role ARN
        self.endpoint = ""
        self.waiting = 0       # awaits that are parked now

    # ---- what tests do
    def put(self, name, value, stages=("AWSCURRENT",), version=None):
        """A new version; AWSCURRENT leaves AWSPREVIOUS behind."""
        version = version or str(uuid.uuid4())
        with self.lock:
            held = self.stages.setdefault(name, {})
            if "AWSCURRENT" in stages and "AWSCURRENT" in held:
                held["AWSPREVIOUS"] = held["AWSCURRENT"]
            self.secrets.setdefault(name, {})[version] = value
            held.update({stage: version for stage in stages})
            self.lock.notify_all()
        return version

    def count(self, operation):
        with self.lock:
            return sum(1 for call in self.calls if call[0] == operation)

    def operations(self):
        with self.lock:
            return [call[0] for call in self.calls]

    def forget_calls(self):
        with self.lock:
            self.calls.clear()

    # ---- operations
    def handle(self, operation, parameters):
        hook = self.script.get(operation)
        if hook:
            hook(parameters)
        method = getattr(self, "do_" + operation, None)
        if method is None:
            raise Refusal(400, "UnknownOperationException")
        return method(parameters)

    def name_of(self, secret_id):
        return secret_id.split(":secret:")[1].rsplit("-", 1)[0] if secret_id.startswith("arn:") else secret_id

    def describe_version(self, name, version):
        value = self.secrets[name][version]
        answer = {"ARN": f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-a1B2c3", "Name": name,
                  "VersionId": version, "CreatedDate": 1.7e9,
                  "VersionStages": [stage for stage, held in self.stages[name].items() if held == version]}
        if isinstance(value, bytes):
            answer["SecretBinary"] = base64.b64encode(value).decode()
        else:
            answer["SecretString"] = value
        return answer

    def do_GetSecretValue(self, parameters):  # noqa: N802  (AWS's spelling)
        name = self.name_of(parameters["SecretId"])
        with self.lock:
            version = parameters.get("VersionId") or self.stages.get(name, {}).get(
                parameters.get("VersionStage", "AWSCURRENT"))
            if version not in self.secrets.get(name, {}):
                raise Refusal(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
            return self.describe_version(name, version)

    def do_BatchGetSecretValue(self, parameters):  # noqa: N802
        ids = parameters["SecretIdList"]
        if len(ids) > 20:
            raise Refusal(400, "ValidationException", "at most 20")
        begin = int(parameters.get("NextToken", "0"))
        answer = {"SecretValues": [], "Errors": []}
        for secret_id in ids[begin:begin + self.page_size]:
            try:
                self.script.get("GetSecretValue", lambda _: None)({"SecretId": secret_id})
                answer["SecretValues"].append(self.do_GetSecretValue({"SecretId": secret_id}))
            except Refusal as refusal:
                answer["Errors"].append({"SecretId": secret_id, "ErrorCode": refusal.code, "Message": refusal.message})
        if begin + self.page_size < len(ids):
            answer["NextToken"] = str(begin + self.page_size)
        return answer

    def do_DescribeSecret(self, parameters):  # noqa: N802
        name = self.name_of(parameters["SecretId"])
        with self.lock:
            if name not in self.secrets:
                raise Refusal(400, "ResourceNotFoundException")
            return {"ARN": f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-a1B2c3", "Name": name}

    def do_GetParameters(self, parameters):  # noqa: N802
        found, missing = [], []
        for name in parameters["Names"]:
            if name in self.parameters:
                kind, value, version = self.parameters[name]
                found.append({"Name": name, "Type": kind, "Value": value, "Version": version,
                              "ARN": f"arn:aws:ssm:eu-central-1:123456789012:parameter{name}"})
            else:
                missing.append(name)
        return {"Parameters": found, "InvalidParameters": missing}

    def do_AwaitSecretChange(self, parameters):  # noqa: N802
        end = time.monotonic() + parameters["WaitSeconds"]

        def states():
            answer = []
            for entry in parameters["Entries"]:
                version = self.stages.get(self.name_of(entry["SecretId"]), {}).get(entry["VersionStage"], "")
                answer.append({"SecretId": entry["SecretId"], "VersionStage": entry["VersionStage"],
                               "VersionId": version})
            return answer

        with self.lock:
            self.waiting += 1
            self.lock.notify_all()
            known = [entry.get("KnownVersionId", "") for entry in parameters["Entries"]]
            while [state["VersionId"] for state in states()] == known and time.monotonic() < end:
                self.lock.wait(end - time.monotonic())
            self.waiting -= 1
            return {"Entries": states()}

    def sts(self, form):
        role = form.get("RoleArn", [""])[0]
        key = "ASIA" + uuid.uuid4().hex[:16].upper()
        with self.lock:
            self.role_of_key[key] = role
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.date_offset + 3600))
        return STS.format(op=form["Action"][0], key=key, secret="secret-" + key, token="session-" + key,
                          expires=expires)


def make_handler(aws):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, status, content_type, body, operation=""):
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + aws.date_offset, usegmt=True))
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
            if aws.offers_await:
                self.send_header("x-keyturn-await", "1")
            self.end_headers()
            if operation in aws.cut_after:
                body = body[:aws.cut_after[operation]]
                self.close_connection = True
            self.wfile.write(body)

        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = self.headers.get("X-Amz-Target", "")
            operation = target.rpartition(".")[2]
            try:
                if target:
                    parameters = json.loads(body)
                    with aws.lock:
                        aws.calls.append((operation, parameters, dict(self.headers)))
                    answer = json.dumps(aws.handle(operation, parameters)).encode()
                    return self.reply(200, "application/x-amz-json-1.1", answer, operation)
                form = urllib.parse.parse_qs(body.decode())
                with aws.lock:
                    aws.calls.append((form["Action"][0], form, dict(self.headers)))
                if form["Action"][0] in aws.script:
                    aws.script[form["Action"][0]](form)
                return self.reply(200, "text/xml", aws.sts(form).encode())
            except Refusal as refusal:
                if target:
                    answer = {"__type": refusal.code, "Message": refusal.message}
                    return self.reply(refusal.status, "application/x-amz-json-1.1", json.dumps(answer).encode())
                xml = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{refusal.code}</Code>"
                       f"<Message>{refusal.message}</Message></Error></ErrorResponse>")
                return self.reply(refusal.status, "text/xml", xml.encode())

        def log_message(self, *_):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A client that was killed or refused the handshake is no news to a test.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def scripted_aws(authority, hosts=("127.0.0.1", "localhost")):
    """A running endpoint over TLS with a certificate for these hosts."""
    aws = ScriptedAws()
    server = Server(("127.0.0.1", 0), make_handler(aws))
    server.daemon_threads = True
    certificate, key = authority.issue("scripted-" + hosts[0], *hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # The handshake belongs to the connection's thread, so that a silent client cannot hold up the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    aws.endpoint = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        with aws.lock:
            aws.stages.clear()  # lets parked awaits go
            aws.lock.notify_all()
        server.shutdown()
        server.server_close()
