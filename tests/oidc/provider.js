// An OpenID Connect provider on loopback, on a port that the system picks. Its first line of output is its issuer.
// Whoever comes to the interaction as `?account=name` is signed in and consents. It ends when its standard input does.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [clientId, clientSecret, redirectUri] = process.argv.slice(2);

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: !id.startsWith("unverified"),
        preferred_username: id,
      }),
    }),
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  });
  server.on("request", async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (!pathname.startsWith("/interaction/")) {
      provider.callback()(request, response);
      return;
    }
    try {
      const { params } = await provider.interactionDetails(request, response);
      const accountId = searchParams.get("account");
      if (!accountId) {
        await provider.interactionFinished(request, response, { error: "access_denied" });
        return;
      }
      const grant = new provider.Grant({ accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      const grantId = await grant.save();
      await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  console.log(issuer);
});

process.stdin.resume();
process.stdin.on("end", () => process.exit());
