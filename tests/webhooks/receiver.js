// Receives webhooks over HTTPS and verifies them. The first line of the input is {key, certificate}, each later one {secret}: what requests
// to /verified must be signed with. Prints its port, a line for each secret that it has taken, and each request as a line.
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

let verifier;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function reply(path, headers, body) {
  switch (path) {
    case "/verified":
      try {
        verifier.verify(body, headers);
        return [204, ""];
      } catch (error) {
        return [401, error.message];
      }
    case "/redirect":
      return [302, ""];
    case "/gone":
      return [410, ""];
    case "/failing":
      return [500, "x".repeat(100_000)];
    default:
      return [200, "Thanks"];
  }
}

function serve({ key, certificate }) {
  const server = createServer({ key, cert: certificate }, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const [status, text] = reply(request.url, request.headers, body);
    say({ path: request.url, headers: request.headers, body, status });
    response.writeHead(status, { location: "/followed" }).end(text);
  });
  server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const command = JSON.parse(line);
  if (command.key) return serve(command);
  verifier = new Webhook(command.secret);
  say({ ready: true });
});
input.on("close", () => process.exit());
