// Runs the audits of GraphQL over HTTP against the address in its first argument and writes what each says, as a line of JSON.
import { auditServer } from "graphql-http";

const results = await auditServer({ url: process.argv[2] });
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason: reason ?? null }));
}
