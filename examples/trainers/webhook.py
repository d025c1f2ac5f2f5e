"""A trainer behind the webhook backend: takes signed retraining requests, trains, and tells what became of them.

    pip install standardwebhooks==1.1.0
    WEBHOOK_SECRET=whsec_… python webhook.py 8000

The worker has MODELOPS_WEBHOOK_URL=http://localhost:8000/retrainings, and the same secret.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, quote, urlsplit

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
jobs = {}  # by request id; keep them where a restart of this process finds them


def train(request):  # yours
    jobs[request["request_id"]] = {"state": "succeeded", "model_version": request["model_version"] + "-retrained"}


class Handler(BaseHTTPRequestHandler):
    def handle_signed(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            webhook.verify(body, dict(self.headers), json_parse=False)
        except WebhookVerificationError as error:
            return self.answer(401, {"error": str(error)})
        request_id = self.headers["webhook-id"]
        if self.command == "POST":
            if request_id not in jobs:  # asked again is no second training
                jobs[request_id] = {"state": "running"}
                Thread(target=train, args=(json.loads(body)["data"],)).start()
            return self.answer(202, {"job_id": request_id, "status_url": "/status?id=" + quote(request_id, safe="")})
        asked = parse_qs(urlsplit(self.path).query)["id"][0]
        if self.command == "DELETE":
            jobs[asked] = {"state": "failed", "message": "cancelled"}
        self.answer(200, jobs.get(asked, {"state": "failed", "message": "no such job"}))

    do_POST = do_GET = do_DELETE = handle_signed

    def do_HEAD(self):  # modelvigil doctor asks whether anybody is there, unsigned
        self.send_response(204)
        self.end_headers()

    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
