// Makes the page, its policy and the list of its licences. With --check, says whether they are what was committed.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";

const read = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const bundled = (name) => read(`node_modules/${name}`).replace(/\/\/# sourceMappingURL=\S+\s*$/, "");
// What would end the element that it stands in. Both stand in texts.
const inline = (script) => script.replaceAll("</script", "<\\/script").replaceAll("<!--", "\\x3C!--");
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

// The fonts are most of the style, and have licences of their own: the system's do.
const style = bundled("graphiql/graphiql.min.css").replace(/@font-face\{[^}]*\}/g, "") + read("page.css");
const script = inline(
  ["react/umd/react.production.min.js", "react-dom/umd/react-dom.production.min.js", "graphiql/graphiql.min.js"].map(bundled).join("\n") +
    read("page.js"),
);
const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Quire</title><meta name="viewport" content="width=device-width"><style>${style}</style></head>
<body><div id="graphiql"></div><script>${script}</script></body></html>
`;
// GraphiQL sets styles of single elements.
const policy =
  `default-src 'none'; script-src ${hash(script)}; style-src-elem ${hash(style)}; style-src-attr 'unsafe-inline'; img-src data:; ` +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Every installed package: its name, its version, its licence, and the text of that. */
function licences() {
  const folders = readdirSync(new URL("node_modules", import.meta.url)).filter((name) => !name.startsWith("."));
  const names = folders.flatMap((name) =>
    name.startsWith("@") ? readdirSync(new URL(`node_modules/${name}`, import.meta.url)).map((inner) => `${name}/${inner}`) : [name],
  );
  const texts = new Map();
  for (const name of names.sort()) {
    const { version, license } = JSON.parse(read(`node_modules/${name}/package.json`));
    const file = readdirSync(new URL(`node_modules/${name}`, import.meta.url)).sort().find((file) => /^licen[cs]e/i.test(file));
    const text = file ? read(`node_modules/${name}/${file}`).replaceAll("\r", "").trim() : "(see the package)";
    texts.set(text, [...(texts.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  return [...texts].map(([text, packages]) => `${packages.join("\n")}\n\n${text}\n`).join("\n---\n\n");
}

const files = { "policy.txt": policy, "LICENCES.txt": licences() };
const at = (name) => new URL(name, import.meta.url);
if (process.argv.includes("--check")) {
  // The text is compared, because another zlib compresses otherwise.
  const same =
    existsSync(at("page.html.gz")) &&
    gunzipSync(readFileSync(at("page.html.gz"))).toString() === page &&
    Object.entries(files).every(([name, text]) => existsSync(at(name)) && read(name) === text);
  if (!same) {
    console.error("functions/graphql/answer-graphql/graphiql: run `npm run build` and commit what changes");
    process.exit(1);
  }
} else {
  writeFileSync(at("page.html.gz"), gzipSync(page, { level: 9 }));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(at(name), text);
  }
}
